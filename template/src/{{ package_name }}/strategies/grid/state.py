"""State of GRID. Most candles change nothing of it."""

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from ...market.words import Side
from ..strategy import OrderKey

ZERO = Decimal(0)


class Phase(StrEnum):
    """Stage of a grid: in `starting` it buys what it sells first, in `leaving` it cancels all."""

    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    LEAVING = "leaving"
    ENDED = "ended"


class Where(StrEnum):
    """Place of the price at the newest close."""

    IN_RANGE = "in_range"
    ABOVE_RANGE = "above_range"
    BELOW_RANGE = "below_range"


class Standing(StrEnum):
    """Standing of a slot: its order rests, or why it has none.

    `idle`: it has not begun, or the grid has ended. `due`: it is placed after the next candle.
    `blocked`: it was refused too often.
    """

    IDLE = "idle"
    OPEN = "open"
    DUE = "due"
    BLOCKED = "blocked"


class Slot(NamedTuple):
    """A pair of levels: it buys at the lower one and sells at the upper one, in turns.

    `qty` is what its order has left to do; `cycle` counts its sales and `n` its orders since.
    """

    side: Side = Side.BUY
    standing: Standing = Standing.IDLE
    qty: Decimal = ZERO
    carry: Decimal = ZERO
    """Base currency that it owns."""
    cost: Decimal = ZERO
    """Cost of that, in quote currency."""
    cycle: int = 0
    n: int = 0
    rejects: int = 0
    reason: str = ""
    """Reason why it has no order."""

    def key(self, number: int) -> OrderKey:
        letter = "b" if self.side is Side.BUY else "s"
        return OrderKey(f"g{number}{letter}", self.cycle, self.n)


class Start(NamedTuple):
    """Buying what the slots from `first` on sell first."""

    first: int
    at: int
    qty: Decimal
    is_open: bool = True
    n: int = 0
    rejects: int = 0
    bought: Decimal = ZERO
    cost: Decimal = ZERO

    @property
    def key(self) -> OrderKey:
        return OrderKey("start", 0, self.n)


class Exit(NamedTuple):
    """Ending the grid: its orders are canceled; once they have ended, all is sold if `sells`."""

    role: str
    sells: bool
    asked_at: int
    available: Decimal
    price: Decimal
    """Worth of it then, about."""
    sale: OrderKey | None = None
    tries: int = 0
    carry: Decimal = ZERO
    """Base that is to be sold, taken from the slots."""
    cost: Decimal = ZERO


class State(NamedTuple):
    """All that GRID knows. `version` is that of the settings by which it works."""

    phase: Phase = Phase.WAITING
    where: Where = Where.IN_RANGE
    is_due: bool = False
    """Flag: something is to be placed after the next candle."""
    version: int = 0
    levels: tuple[Decimal, ...] = ()
    quantities: tuple[Decimal, ...] = ()
    """Quantity that each slot buys."""
    slots: tuple[Slot, ...] = ()
    stop: Decimal | None = None
    started_at: int = 0
    realized: Decimal = ZERO
    start: Start | None = None
    exit: Exit | None = None

    def with_slot(self, number: int, slot: Slot) -> "State":
        slots = (*self.slots[:number], slot, *self.slots[number + 1 :])
        return self._replace(slots=slots)
