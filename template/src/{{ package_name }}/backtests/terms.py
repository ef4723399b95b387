"""Terms of a backtest, and all that it leaves behind."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from ..market.candles import Timeframe
from ..market.words import Liquidity, OrderType, Side
from ..strategies.strategy import Config, Strategy

ZERO = Decimal(0)


class Terms(NamedTuple):
    """Money that a backtest begins with, and assumptions about the exchange.

    `spread_ppm`: bid and ask together are so many millionths of the price apart. Of a candle's
    volume at most the share `max_participation` is filled.
    """

    cash: Decimal
    base: Decimal = ZERO
    spread_ppm: int = 100
    max_participation: Decimal = Decimal("0.1")


class Backtest(NamedTuple):
    """A backtest that can be run: a strategy of that kind, its configuration, the terms.

    It can be sent to another process.
    """

    kind: str
    strategy: Strategy[Any, Any]
    config: Config[Any]
    timeframe: Timeframe
    terms: Terms


class Decision(NamedTuple):
    """An order that the strategy wanted, in the candle of that number or at its close."""

    candle: int
    at: int
    role: str
    side: Side
    type: OrderType
    qty: Decimal
    price: Decimal | None


class Trade(NamedTuple):
    """A fill, as a report shows it. `at` in seconds since 1970, the fee in what was received."""

    candle: int
    at: int
    role: str
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal
    fee_is_base: bool
    liquidity: Liquidity


class Holding(NamedTuple):
    """Funds that are owned from the end of a candle on, until the next holding."""

    candle: int
    quote: Decimal
    base: Decimal


class Run(NamedTuple):
    """Record of a backtest. `holdings` begins with what there was before it.

    `notes` counts the strategy's notes by their kind; `closed` is what became of orders that were
    not filled, by reason. `paused` is the strategy's own reason, if it has asked to be paused.
    """

    trades: Sequence[Trade]
    holdings: Sequence[Holding]
    decisions: Sequence[Decision]
    notes: Mapping[str, int]
    closed: Mapping[str, int]
    status: Mapping[str, Any]
    paused: str = ""
