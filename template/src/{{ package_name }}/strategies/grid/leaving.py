"""The end of a grid: cancel, wait until nothing rests, then sell what is left, if it is to be.

Orders that rest hold what they would sell, and one that is being canceled may still be filled. So
nothing is sold before every cancellation is confirmed: it could be sold twice.
"""

from decimal import Decimal

from ...market.money import exact, floor_to
from ...market.words import OrderType, Side
from .. import leaving as shared
from ..strategy import Cancel, Config, Fill, Intent, Note, OrderClosed, OrderKey, Pause, Place
from .params import GridParams
from .quantities import tradable
from .slots import cost_of, totals
from .state import ZERO, Exit, Phase, Slot, Standing, State


def leave(state: State, leaving: Exit, config: Config[GridParams]) -> tuple[State, list[Intent]]:
    """Begin to end the grid, or go on with it: ask for what is to happen next."""
    slots = tuple(
        slot if slot.standing is Standing.OPEN else slot._replace(standing=Standing.IDLE)
        for slot in state.slots
    )
    start = state.start if state.start and state.start.is_open else None
    state = _with_unshared(state, leaving, slots, keep_start=start is not None)
    cancels: list[Intent] = [Cancel(start.key)] if start else []
    cancels += [
        Cancel(slot.key(number))
        for number, slot in enumerate(slots)
        if slot.standing is Standing.OPEN
    ]
    return (state, cancels) if cancels else finish(state, leaving.asked_at, config)


def _with_unshared(
    state: State, leaving: Exit, slots: tuple[Slot, ...], *, keep_start: bool
) -> State:
    """Return the state that leaves; what a first purchase has brought is to be sold too."""
    start = state.start
    if start is not None and not keep_start:
        with exact():
            leaving = leaving._replace(
                carry=leaving.carry + start.bought, cost=leaving.cost + start.cost
            )
        start = None
    return state._replace(phase=Phase.LEAVING, slots=slots, start=start, exit=leaving, is_due=False)


def is_clear(state: State) -> bool:
    """Return whether nothing rests that was placed for the slots."""
    has_start = state.start is not None and state.start.is_open
    return not has_start and all(slot.standing is not Standing.OPEN for slot in state.slots)


def finish(state: State, at: int, config: Config[GridParams]) -> tuple[State, list[Intent]]:
    """Sell what is left if it is to be sold, and end; nothing rests any more."""
    leaving = state.exit
    assert leaving is not None
    if not leaving.sells:
        return end(state, leaving)
    carry, cost = totals(state.slots)
    with exact():
        leaving = leaving._replace(carry=leaving.carry + carry, cost=leaving.cost + cost)
    slots = tuple(slot._replace(carry=ZERO, cost=ZERO) for slot in state.slots)
    state = state._replace(slots=slots)
    owned = floor_to(leaving.carry, config.market.lot)
    qty = min(owned, floor_to(max(leaving.available, ZERO), config.market.lot))
    intents: list[Intent] = []
    if qty < owned:
        note = Note(
            "position_short",
            "{} of {} are there: somebody else has sold the rest",
            (qty, owned),
            alert=True,
        )
        intents.append(note)
    if tradable(qty, leaving.price, config.market) == 0:
        state, ended = end(state, leaving)
        return state, [*intents, *ended]
    key = OrderKey(leaving.role, 0, leaving.tries)
    intents.append(Place(key, Side.SELL, OrderType.MARKET, qty))
    return state._replace(exit=leaving._replace(asked_at=at, sale=key)), intents


def end(state: State, leaving: Exit) -> tuple[State, list[Intent]]:
    """End the grid."""
    reason = f"the grid has ended: {leaving.role}"
    ended: list[Intent] = [
        Note("ended", "has ended ({}); realized {}", (leaving.role, state.realized)),
        Pause(reason),
    ]
    return state._replace(phase=Phase.ENDED, exit=None), ended


def remind(
    state: State, price: Decimal, available: Decimal, at: int, config: Config[GridParams]
) -> tuple[State, list[Intent]]:
    """Ask again for what the end waits for, once it has waited for too long."""
    leaving = state.exit
    assert leaving is not None
    again = leaving._replace(asked_at=at, available=available, price=price)
    return shared.remind(
        state,
        state._replace(exit=again),
        at - leaving.asked_at,
        is_selling=leaving.sale is not None,
        leave=lambda: leave(state, again, config),
    )


def on_sale_fill(state: State, leaving: Exit, fill: Fill) -> tuple[State, list[Intent]]:
    """Apply a fill of the sale; the last one ends the grid."""
    with exact():
        gone = fill.qty + (fill.fee if fill.fee_is_base else 0)
        part = cost_of(gone, leaving.carry, leaving.cost)
        gain = fill.qty * fill.price - (0 if fill.fee_is_base else fill.fee) - part
        leaving = leaving._replace(
            carry=leaving.carry - gone,
            cost=leaving.cost - part,
            available=leaving.available - gone,
        )
        state = state._replace(realized=state.realized + gain, exit=leaving)
    return end(state, leaving) if fill.is_last else (state, [])


def on_sale_closed(state: State, leaving: Exit, closed: OrderClosed) -> tuple[State, list[Intent]]:
    """Have the sale tried again in a while."""
    note = Note(
        "sale_failed",
        "the sale has ended as {} {}, {} are left: tries again",
        (closed.reason, closed.code, leaving.carry),
        alert=True,
    )
    waiting = leaving._replace(sale=None, tries=leaving.tries + 1, asked_at=closed.at)
    return state._replace(exit=waiting), [note]
