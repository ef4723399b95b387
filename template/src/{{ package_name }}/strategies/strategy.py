"""The words of a strategy: what happens to it, what it wants, and what it is asked for.

A strategy decides and does nothing else: no clock, no input or output, no chance. The same events
lead to the same intents, in a backtest as at an exchange, also after its state was stored as JSON
and read again.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict

from ..market.candles import Candle
from ..market.words import Liquidity, OrderType, Side
from .stored import adapter_of, to_json


class Market(NamedTuple):
    """The instrument and its exchange. Prices in quote units, quantities in base units.

    `maker` and `taker` are the shares of what a fill gets that the exchange keeps.
    """

    symbol: str
    base_currency: str
    quote_currency: str
    tick: Decimal
    lot: Decimal
    min_notional: Decimal
    maker: Decimal
    taker: Decimal


class OrderKey(NamedTuple):
    """Name of an order within its strategy. The same decision has the same name, always.

    `role` says what it is for, `cycle` counts from flat to flat, `n` counts within both.
    """

    role: str
    cycle: int
    n: int = 0


# --- What happens --------------------------------------------------------------------------------


class CandleClosed(NamedTuple):
    """A candle has ended. Every fill up to then was told before.

    `available` is the base currency that the strategy may sell, what its orders hold included. The
    strategy must open no position where `may_open` is False, which `why_not` explains: it has
    missed candles, is paused, or trading is halted. It still leaves positions.
    """

    candle: Candle
    available: Decimal
    may_open: bool = True
    why_not: str = ""


class Fill(NamedTuple):
    """A trade of an order. `at` in seconds since 1970. `is_last`: the order is filled with it."""

    key: OrderKey
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal
    fee_is_base: bool
    liquidity: Liquidity
    at: int
    is_last: bool


class CloseReason(StrEnum):
    """Reason why an order has ended unfilled: the venue's word for it, or ours for `denied`."""

    CANCELED = "canceled"
    REJECTED = "rejected"
    DENIED = "denied"
    EXPIRED = "expired"


HALT_CODES = frozenset({"TRADING_HALTED", "TRADING_STATE_REDUCING"})
"""Codes of orders that were denied because trading is halted, and for no fault of their own."""


class OrderClosed(NamedTuple):
    """An order has ended before it was filled. Its fills were told before.

    `code` is the reason code of the service or of the exchange. `was_asked`: the strategy has asked
    for its cancellation.
    """

    key: OrderKey
    reason: CloseReason
    code: str
    filled_qty: Decimal
    at: int
    was_asked: bool = False


class PriceReached(NamedTuple):
    """The bid has fallen to the price that the strategy watches, or below it."""

    price: Decimal
    available: Decimal
    at: int


class TimeReached(NamedTuple):
    """It is as late as the strategy has asked for with `wake_at`, or later."""

    available: Decimal
    at: int


Event = CandleClosed | Fill | OrderClosed | PriceReached | TimeReached


# --- What it wants -------------------------------------------------------------------------------


class Place(NamedTuple):
    """Have an order placed, good till canceled; `price` is None for one at the market's price.

    `label` is the role as reports show it, where that is shorter than the one in the key.
    """

    key: OrderKey
    side: Side
    type: OrderType
    qty: Decimal
    price: Decimal | None = None
    label: str = ""

    @property
    def role(self) -> str:
        return self.label or self.key.role


class Cancel(NamedTuple):
    """Have an order canceled. One that has ended meanwhile is told as an event, as always."""

    key: OrderKey


class Note(NamedTuple):
    """Say why something was done or not: `kind` for programs, the text for people.

    The text is `template.format(*values)`: it is made only where somebody reads it. `alert`: people
    must hear of it now.
    """

    kind: str
    template: str
    values: tuple[Any, ...] = ()
    alert: bool = False

    @property
    def text(self) -> str:
        return self.template.format(*self.values)


class Pause(NamedTuple):
    """Have the strategy paused and its people alerted: it opens no position until resumed."""

    reason: str


Intent = Place | Cancel | Note | Pause


# --- What it is asked for ------------------------------------------------------------------------


class Params(BaseModel):
    """Settings of a strategy: each with a default, bounds and a description, if it can have one."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


ParamsT = TypeVar("ParamsT", bound=Params)
StateT = TypeVar("StateT")


class Config(NamedTuple, Generic[ParamsT]):
    """Knowledge of a strategy beside its state. `version` counts the changes of its settings."""

    params: ParamsT
    market: Market
    timeframe_seconds: int
    version: int = 1


class Fault(NamedTuple):
    """A setting, or several, that cannot be; `param` is "" where it is about more than one.

    `about` are the settings that it is about, where these are several.
    """

    param: str
    message: str
    code: str = "INVALID_PARAMS"
    about: tuple[str, ...] = ()


class PlannedOrder(NamedTuple):
    """An order that a strategy would begin with."""

    role: str
    side: Side
    type: OrderType
    qty: Decimal
    price: Decimal | None


class Plan(NamedTuple):
    """Orders that a strategy would begin with, and the funds for all that it may do."""

    levels: Sequence[Decimal]
    orders: Sequence[PlannedOrder]
    quote_needed: Decimal
    base_needed: Decimal
    remarks: Sequence[str] = ()


class Strategy(ABC, Generic[ParamsT, StateT]):
    """A kind of strategy. A module in this package that has one as `STRATEGY` is found by its name.

    State is a NamedTuple, or a frozen dataclass, of numbers, strings, decimals, tuples, others of
    its like and Params. Parts that change seldom are better parts of their own: what a candle
    changes is built anew with each.
    """

    title: ClassVar[str]
    params_type: type[ParamsT]
    state_type: type[StateT]
    fixed: ClassVar[frozenset[str]] = frozenset()
    """Settings that can't be changed while it runs."""

    def warm_up(self, params: ParamsT) -> int:
        """Return how many candles it has to have seen before it can decide."""
        return 0

    def faults(self, config: Config[ParamsT], price: Decimal | None) -> list[Fault]:
        """Return all that the settings have against them on this market, at this price.

        Bounds of a single setting are its type's; `checking.check` names both kinds at once.
        """
        return []

    def example(self, price: Decimal) -> dict[str, Any]:
        """Return settings to try it with: at that price, and where prices move a little, it soon
        trades. The defaults will do where every setting has one.
        """
        return {}

    def refusals(self) -> Mapping[str, str]:
        """Return why settings that people know from elsewhere cannot be had here, by name."""
        return {}

    @abstractmethod
    def plan(self, config: Config[ParamsT], price: Decimal) -> Plan:
        """Return what it would do at this price."""

    @abstractmethod
    def begin(self, config: Config[ParamsT]) -> StateT:
        """Return the state in which it starts."""

    @abstractmethod
    def step(
        self, state: StateT, event: Event, config: Config[ParamsT]
    ) -> tuple[StateT, Sequence[Intent]]:
        """Return the state after an event, and what is to be done."""

    def watch(self, state: StateT) -> Decimal | None:
        """Return the price at or below which PriceReached is to be told; None for no such price."""
        return None

    def wake_at(self, state: StateT) -> int | None:
        """Return when TimeReached is to be told, in seconds since 1970; None for never."""
        return None

    def status(self, state: StateT) -> dict[str, Any]:
        """Return what people want to see of the state, ready for JSON."""
        return {}

    def dump(self, state: StateT) -> dict[str, Any]:
        """Return the state, ready for JSON."""
        dumped: dict[str, Any] = to_json(state)
        return dumped

    def load(self, dumped: dict[str, Any]) -> StateT:
        """Return the state that was dumped. Raises ValidationError if it is of another kind."""
        state: StateT = adapter_of(self.state_type).validate_python(dumped)
        return state
