"""HYPERRSI: buys when the RSI says so and the trend allows it, adds on the way down, and sells on
a ladder of take-profits.

Long and flat, on spot. It decides when a candle has closed, on closed candles only.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

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
    TimeReached,
)
from .deciding import on_candle
from .faults import REFUSALS, find_faults
from .ladder import remind_ladder
from .leaving import leave, remind
from .params import HyperRsiParams
from .planning import make_plan
from .settling import on_closed, on_fill
from .signals import SLOW, new_signals
from .state import Exit, State, Trade
from .status import describe

__all__ = ["STRATEGY", "HyperRsi", "HyperRsiParams"]


class HyperRsi(Strategy[HyperRsiParams, State]):
    """RSI and trend, with DCA, three take-profits, break-even and a stop."""

    title = "RSI and trend, with DCA, take-profits and stop"
    params_type = HyperRsiParams
    state_type = State

    def warm_up(self, params: HyperRsiParams) -> int:
        return max(params.rsi_length + 1, SLOW)

    def faults(self, config: Config[HyperRsiParams], price: Decimal | None) -> list[Fault]:
        return find_faults(config, price)

    def example(self, price: Decimal) -> dict[str, Any]:
        del price
        return {
            "entry_option": "beyond",
            "rsi_length": 5,
            "rsi_oversold": 55,
            **{"tp1_value": "0.2", "tp2_value": "0.3", "tp3_value": "0.4"},
            "pyramiding_value": "0.2",
            "cooldown_time": 60,
        }

    def refusals(self) -> Mapping[str, str]:
        return REFUSALS

    def plan(self, config: Config[HyperRsiParams], price: Decimal) -> Plan:
        return make_plan(config, price)

    def begin(self, config: Config[HyperRsiParams]) -> State:
        return State(new_signals(config.params))

    def step(
        self, state: State, event: Event, config: Config[HyperRsiParams]
    ) -> tuple[State, Sequence[Intent]]:
        if isinstance(event, CandleClosed):
            return on_candle(state, event, config)
        intents: Sequence[Intent]
        if isinstance(event, Fill):
            trade, intents = on_fill(state.trade, event, config)
        elif isinstance(event, OrderClosed):
            trade, intents = on_closed(state.trade, event, config)
        elif isinstance(event, PriceReached):
            trade, intents = _on_price(state.trade, event, config)
        else:
            trade, intents = _on_time(state.trade, event, config, state.price(config.market.tick))
        return state._replace(trade=trade), intents

    def watch(self, state: State) -> Decimal | None:
        position = state.trade.position
        return None if position is None or position.exit else position.stop

    def wake_at(self, state: State) -> int | None:
        position = state.trade.position
        if position is None:
            return None
        if position.exit:
            return position.exit.asked_at + PATIENCE_SECONDS
        return position.asked_at + PATIENCE_SECONDS if position.asked_at else None

    def status(self, state: State) -> dict[str, Any]:
        return describe(state)


def _on_price(
    trade: Trade, event: PriceReached, config: Config[HyperRsiParams]
) -> tuple[Trade, Sequence[Intent]]:
    position = trade.position
    if position is None or position.exit or position.stop is None or event.price > position.stop:
        return trade, ()
    note = Note("exit_stop", "the price has fallen to the stop {}: sells all", (position.stop,))
    leaving = Exit("stop", event.at, event.available, event.price)
    trade, intents = leave(trade, leaving, config)
    return trade, [note, *intents]


def _on_time(
    trade: Trade, event: TimeReached, config: Config[HyperRsiParams], price: Decimal
) -> tuple[Trade, Sequence[Intent]]:
    position = trade.position
    if position is None:
        return trade, ()
    if position.exit:
        return remind(trade, price, event.available, event.at, config)
    return remind_ladder(trade, event.at, config) if position.asked_at else (trade, ())


STRATEGY = HyperRsi()
