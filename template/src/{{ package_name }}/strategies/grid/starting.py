"""The start of a grid: buys below the price, and what is sold above it."""

from decimal import Decimal

from ...market.money import divide, exact, multiply
from ...market.words import OrderType, Side
from ..strategy import (
    CandleClosed,
    CloseReason,
    Config,
    Fill,
    Intent,
    Note,
    OrderClosed,
    Pause,
    Place,
)
from .levels import levels, nearest
from .params import GridParams, Inventory
from .quantities import buy_quantities, tradable
from .slots import MAX_REJECTS, to_buy, to_sell
from .state import ZERO, Phase, Slot, Standing, Start, State


def begin_at(
    state: State, event: CandleClosed, config: Config[GridParams]
) -> tuple[State, list[Intent]]:
    """Start the grid at the close of a candle."""
    if not event.may_open:
        return state, [Note("may_not_open", "does not start: {}", (event.why_not,))]
    params, market = config.params, config.market
    price = event.candle.close_price
    found = tuple(
        levels(params.min_price, params.max_price, params.grid_num, market.tick, params.mode)
    )
    quantities = buy_quantities(params.amounts, found, market)
    first = nearest(found, price)
    needed = sum(quantities[first:], ZERO)
    if params.inventory is Inventory.EXISTING and event.available < needed:
        reason = f"{needed} {market.base_currency} are needed and {event.available} are there"
        return state, [Note("no_inventory", "does not start: {}", (reason,)), Pause(reason)]
    state = state._replace(
        phase=Phase.RUNNING,
        version=config.version,
        levels=found,
        quantities=quantities,
        slots=(Slot(),) * params.grid_num,
        stop=params.stop_price,
        started_at=event.candle.close_time,
    )
    sells = params.grid_num - first
    why = Note("started", "starts at {}: {} slots buy, {} sell", (price, first, sells))
    intents: list[Intent] = [why]
    if needed and params.inventory is Inventory.BUY:
        start = Start(first, event.candle.close_time, needed)
        state = state._replace(phase=Phase.STARTING, start=start)
        intents.append(Place(start.key, Side.BUY, OrderType.MARKET, needed))
    for number in range(first):
        state, placed = to_buy(state, number, state.slots[number])
        intents += placed
    if needed and params.inventory is Inventory.EXISTING:
        state, placed = share(state, first, needed, multiply(needed, price), config)
        intents += placed
    return state, intents


def share(
    state: State, first: int, bought: Decimal, cost: Decimal, config: Config[GridParams]
) -> tuple[State, list[Intent]]:
    """Share base currency among the slots that sell first, by what they would have bought."""
    whole = sum(state.quantities[first:], ZERO)
    left, unpaid = bought, cost
    intents: list[Intent] = []
    for number in range(first, len(state.slots)):
        if number == len(state.slots) - 1:
            part, paid = left, unpaid
        else:
            with exact():
                part = divide(bought * state.quantities[number], whole)
                paid = divide(cost * state.quantities[number], whole)
                left, unpaid = left - part, unpaid - paid
        slot = state.slots[number]._replace(carry=part, cost=paid)
        state, placed = to_sell(state, number, slot, config)
        intents += placed
    return state._replace(phase=Phase.RUNNING, start=None), intents


def on_start_fill(
    state: State, start: Start, fill: Fill, config: Config[GridParams]
) -> tuple[State, list[Intent]]:
    """Apply a fill of the first purchase; with the last one the sells are placed."""
    start = start_after(start, fill)
    if fill.is_last:
        return share(state, start.first, start.bought, start.cost, config)
    return state._replace(start=start), []


def start_after(start: Start, fill: Fill) -> Start:
    """Return what the first purchase has brought after a fill."""
    with exact():
        return start._replace(
            qty=start.qty - fill.qty,
            bought=start.bought + fill.qty - (fill.fee if fill.fee_is_base else 0),
            cost=start.cost + fill.qty * fill.price + (0 if fill.fee_is_base else fill.fee),
            rejects=0,
        )


def on_start_closed(
    state: State, start: Start, closed: OrderClosed, config: Config[GridParams]
) -> tuple[State, list[Intent]]:
    """Buy the rest after the next candle; give up after some refusals, with what has come."""
    rejects = start.rejects + (closed.reason is not CloseReason.DENIED)
    start = start._replace(is_open=False, n=start.n + 1, rejects=rejects)
    why = f"{closed.reason} {closed.code}".strip()
    if tradable(start.qty, state.levels[start.first], config.market) == 0:
        return share(state, start.first, start.bought, start.cost, config)
    if rejects < MAX_REJECTS:
        note = Note("start_refused", "the first purchase: {}; after the next candle again", (why,))
        return state._replace(start=start, is_due=True), [note]
    note = Note(
        "start_blocked",
        "slots from {} on are blocked: the first purchase was refused {} times, the last as {}",
        (start.first, rejects, why),
        alert=True,
    )
    blocked = tuple(
        slot._replace(standing=Standing.BLOCKED, reason=why) for slot in state.slots[start.first :]
    )
    slots = (*state.slots[: start.first], *blocked)
    return state._replace(phase=Phase.RUNNING, start=None, slots=slots), [note]


def buy_rest(state: State, start: Start) -> tuple[State, list[Intent]]:
    """Place the first purchase again."""
    order = Place(start.key, Side.BUY, OrderType.MARKET, start.qty)
    return state._replace(start=start._replace(is_open=True)), [order]
