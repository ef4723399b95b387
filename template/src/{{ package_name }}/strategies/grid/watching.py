"""GRID when a candle has closed: nothing, as a rule. Its orders wait by themselves."""

from collections.abc import Sequence
from decimal import Decimal

from ...market.money import exact, multiply
from ..strategy import CandleClosed, Config, Intent, Note
from .leaving import leave, remind
from .levels import levels
from .params import GridParams, OnExit
from .quantities import buy_quantities
from .slots import place_due, totals
from .starting import begin_at, buy_rest
from .state import Exit, Phase, State, Where

_NOTHING = (Note("in_range", "the price is in the range: the orders wait"),)
_ENDED = (Note("ended", "the grid has ended"),)
_OUTSIDE = {
    Where.ABOVE_RANGE: (Note("above_range", "above the range: every slot waits to buy"),),
    Where.BELOW_RANGE: (Note("below_range", "below the range: every slot waits to sell"),),
}


def on_candle(
    state: State, event: CandleClosed, config: Config[GridParams]
) -> tuple[State, Sequence[Intent]]:
    """Look whether the grid is to begin, to end, or whether an order waits to be placed."""
    phase = state.phase
    if phase is Phase.ENDED:
        return state, _ENDED
    if phase is Phase.WAITING:
        return begin_at(state, event, config)
    candle = event.candle
    close = candle.close_price
    if phase is Phase.LEAVING:
        return remind(state, close, event.available, candle.close_time, config)
    intents: list[Intent] = []
    if config.version != state.version:
        state, intents = _adopt(state, config)
    if state.is_due:
        state, placed = _place_due(state)
        intents += placed
    ending = _reason_to_end(state, close, candle.close_time, config.params)
    if ending:
        return _end(state, ending, event, config, intents)
    where = _where(state, close)
    if where is state.where:
        quiet = _NOTHING if where is Where.IN_RANGE else _OUTSIDE[where]
        return state, [*intents, *quiet] if intents else quiet
    return _moved(state._replace(where=where), event, config, intents)


def _where(state: State, close: Decimal) -> Where:
    found = state.levels
    if close < found[0]:
        return Where.BELOW_RANGE
    return Where.ABOVE_RANGE if close > found[-1] else Where.IN_RANGE


def _moved(
    state: State, event: CandleClosed, config: Config[GridParams], intents: list[Intent]
) -> tuple[State, Sequence[Intent]]:
    """Say that the price has left the range, or has come back, and do as `on_exit` has it."""
    if state.where is Where.IN_RANGE:
        back = Note("back_in_range", "the price is back in the range", alert=True)
        return state, [*intents, back]
    note = _OUTSIDE[state.where][0]._replace(alert=True)
    on_exit = config.params.on_exit
    if on_exit is OnExit.HOLD:
        return state, [*intents, note]
    return _end(
        state, (state.where.value, on_exit is OnExit.CLOSE), event, config, [*intents, note]
    )


def _reason_to_end(
    state: State, close: Decimal, now: int, params: GridParams
) -> tuple[str, bool] | None:
    """Return why the grid is to end, if it is, and whether it sells then."""
    if params.take_profit_price is not None and close >= params.take_profit_price:
        return "take_profit", True
    if params.stop_loss is not None:
        carry, cost = totals(state.slots)
        with exact():
            lost = cost - carry * close - state.realized
            most = sum(params.amounts, Decimal(0)) * params.stop_loss
        if lost > 0 and multiply(lost, Decimal(100)) >= most:
            return "stop_loss", True
    if params.custom_stop is not None and now >= state.started_at + 60 * params.custom_stop:
        return "time_over", params.on_exit is OnExit.CLOSE
    return None


def _end(
    state: State,
    ending: tuple[str, bool],
    event: CandleClosed,
    config: Config[GridParams],
    intents: list[Intent],
) -> tuple[State, Sequence[Intent]]:
    role, sells = ending
    candle = event.candle
    leaving = Exit(role, sells, candle.close_time, event.available, candle.close_price)
    state, more = leave(state, leaving, config)
    note = Note("leaving", "ends ({}): cancels its orders{}", (role, ", sells all" * sells))
    return state, [*intents, note, *more]


def _place_due(state: State) -> tuple[State, list[Intent]]:
    intents: list[Intent] = []
    if state.start is not None and not state.start.is_open:
        state, intents = buy_rest(state, state.start)
    state, placed = place_due(state._replace(is_due=False))
    return state, [*intents, *placed]


def _adopt(state: State, config: Config[GridParams]) -> tuple[State, list[Intent]]:
    """Work by changed settings: amounts with the next purchase of each slot, stops at once."""
    params, market = config.params, config.market
    found = levels(params.min_price, params.max_price, params.grid_num, market.tick, params.mode)
    adopted = state._replace(version=config.version, stop=params.stop_price)
    if tuple(found) != state.levels:
        note = Note("same_levels", "a grid that has begun keeps its levels", alert=True)
        return adopted, [note]
    quantities = buy_quantities(params.amounts, state.levels, market)
    note = Note("new_params", "works by version {} of its settings", (config.version,))
    return adopted._replace(quantities=quantities), [note]
