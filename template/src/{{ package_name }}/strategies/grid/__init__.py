"""GRID: slots between two prices; each buys at its lower level and sells at its upper one.

Each slot has exactly one order, always: it earns the distance of its levels less two fees with
every round trip, as often as the price crosses it.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from ..amounts import changed_by
from ..leaving import PATIENCE_SECONDS
from ..strategy import (
    CandleClosed,
    Config,
    Event,
    Fault,
    Fill,
    Intent,
    Note,
    OrderClosed,
    Plan,
    PriceReached,
    Strategy,
)
from .leaving import leave, remind
from .params import GridParams
from .planning import find_faults, make_plan
from .settling import on_order
from .state import Exit, Phase, State
from .status import describe
from .watching import on_candle

__all__ = ["STRATEGY", "Grid", "GridParams"]


class Grid(Strategy[GridParams, State]):
    """Slots between two prices, each buying low and selling high in turns."""

    title = "Grid: buys low and sells high between two prices"
    params_type = GridParams
    state_type = State
    fixed = frozenset(
        {"min_price", "max_price", "grid_num", "mode", "amount", "inventory", "stop_price"}
    )

    def faults(self, config: Config[GridParams], price: Decimal | None) -> list[Fault]:
        return find_faults(config, price)

    def example(self, price: Decimal) -> dict[str, Any]:
        low, high = int(changed_by(price, Decimal(-2))), int(changed_by(price, Decimal(2)))
        return {"min_price": str(low), "max_price": str(high), "grid_num": 16, "amount": "500"}

    def plan(self, config: Config[GridParams], price: Decimal) -> Plan:
        return make_plan(config, price)

    def begin(self, config: Config[GridParams]) -> State:
        return State()

    def step(
        self, state: State, event: Event, config: Config[GridParams]
    ) -> tuple[State, Sequence[Intent]]:
        if isinstance(event, CandleClosed):
            return on_candle(state, event, config)
        if isinstance(event, Fill | OrderClosed):
            return on_order(state, event, config)
        if isinstance(event, PriceReached):
            return _on_price(state, event, config)
        if state.exit is None:
            return state, ()
        return remind(state, state.exit.price, event.available, event.at, config)

    def watch(self, state: State) -> Decimal | None:
        return state.stop if state.phase in {Phase.STARTING, Phase.RUNNING} else None

    def wake_at(self, state: State) -> int | None:
        return state.exit.asked_at + PATIENCE_SECONDS if state.exit else None

    def status(self, state: State) -> dict[str, Any]:
        return describe(state)


def _on_price(
    state: State, event: PriceReached, config: Config[GridParams]
) -> tuple[State, Sequence[Intent]]:
    if state.exit is not None or state.stop is None or event.price > state.stop:
        return state, ()
    note = Note("exit_stop", "the price has fallen to the stop {}: sells all", (state.stop,))
    leaving = Exit("stop", True, event.at, event.available, event.price)
    state, intents = leave(state, leaving, config)
    return state, [note, *intents]


STRATEGY = Grid()
