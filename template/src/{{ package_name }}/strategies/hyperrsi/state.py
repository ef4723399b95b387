"""State of HYPERRSI. A candle changes `signals`, and orders and fills change `trade`."""

from decimal import Decimal
from typing import NamedTuple

from ...market.money import divide, floor_to
from ..strategy import OrderKey
from .params import HyperRsiParams
from .signals import Signals

ZERO = Decimal(0)


class Opened(NamedTuple):
    """Settings with which a position was opened: it keeps them until it is closed."""

    version: int
    params: HyperRsiParams


class Rung(NamedTuple):
    """A take-profit that rests."""

    key: OrderKey
    qty: Decimal
    price: Decimal


class Exit(NamedTuple):
    """Leaving a position: its orders are canceled, and once they have ended, it is sold."""

    role: str
    asked_at: int
    """Time at which it was last asked for what has not happened yet."""
    available: Decimal
    price: Decimal
    """Worth of it then, about."""
    sale: OrderKey | None = None
    tries: int = 0


class Position(NamedTuple):
    """Position since flat. `cost` and `bought` are of all entries, fees apart."""

    entries: int = 0
    bought: Decimal = ZERO
    cost: Decimal = ZERO
    held: Decimal = ZERO
    """Rest of it, after fees in the base currency."""
    last_price: Decimal = ZERO
    add_at: Decimal = ZERO
    """Price at or below which the next entry may be."""
    sold: bool = False
    taken: int = 0
    """Number of the highest take-profit that is filled."""
    rungs: tuple[Rung, ...] = ()
    ladders: int = 0
    """Ladders that were placed: the `n` of the next one's orders."""
    is_ladder_due: bool = False
    """Flag: the take-profits are to be placed anew, once those that rest have ended."""
    asked_at: int = 0
    """Time at which their cancellation was last asked for; 0 if it was not."""
    stop: Decimal | None = None
    exit: Exit | None = None

    @property
    def average(self) -> Decimal:
        return divide(self.cost, self.bought)

    def is_flat(self, lot: Decimal) -> bool:
        """Tell whether less than a lot is left: dust."""
        return floor_to(self.held, lot) == 0


class Trade(NamedTuple):
    """The position and what led to it. `cycle` counts from flat to flat."""

    cycle: int = 0
    opened: Opened | None = None
    pending: OrderKey | None = None
    """An entry that has not ended."""
    position: Position | None = None
    misses: int = 0
    """Entries of this cycle that have bought nothing; the next one needs another name."""
    failures: int = 0
    """Entries in a row that were refused."""
    cooldown_until: int = 0


class State(NamedTuple):
    """All that HYPERRSI knows."""

    signals: Signals
    trade: Trade = Trade()

    def price(self, tick: Decimal) -> Decimal:
        """Return the newest close."""
        return int(self.signals.rsi.last) * tick
