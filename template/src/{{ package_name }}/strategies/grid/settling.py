"""GRID when an order was filled or has ended: the order's slot says what is next."""

from collections.abc import Sequence

from ...market.money import exact
from ...market.words import Side
from ..strategy import Config, Fill, Intent, Note, OrderClosed, OrderKey
from . import slots
from .leaving import is_clear, leave, on_sale_closed, on_sale_fill
from .params import GridParams
from .starting import on_start_closed, on_start_fill, start_after
from .state import Phase, Standing, Start, State


def on_order(
    state: State, event: Fill | OrderClosed, config: Config[GridParams]
) -> tuple[State, Sequence[Intent]]:
    """Apply a fill, or the end of an order."""
    start, leaving = state.start, state.exit
    if leaving is not None and leaving.sale == event.key:
        if isinstance(event, Fill):
            return on_sale_fill(state, leaving, event)
        return on_sale_closed(state, leaving, event)
    number = None
    if start is None or not start.is_open or start.key != event.key:
        start = None
        number = slot_of(state, event.key)
        if number is None:
            return state, [
                Note("unknown_order", "nothing is known of an order {} {} {}", event.key)
            ]
    if leaving is not None:
        return _while_leaving(state, event, start, number, config)
    if start is not None:
        if isinstance(event, Fill):
            return on_start_fill(state, start, event, config)
        return on_start_closed(state, start, event, config)
    assert number is not None
    if isinstance(event, Fill):
        return slots.on_fill(state, number, event, config)
    return slots.on_closed(state, number, event, config)


def slot_of(state: State, key: OrderKey) -> int | None:
    """Return the slot whose order has this name, None if none has it now."""
    digits = key.role[1:-1]
    if key.role[:1] != "g" or not digits.isdecimal() or int(digits) >= len(state.slots):
        return None
    number = int(digits)
    slot = state.slots[number]
    return number if slot.standing is Standing.OPEN and slot.key(number) == key else None


def _while_leaving(
    state: State,
    event: Fill | OrderClosed,
    start: Start | None,
    number: int | None,
    config: Config[GridParams],
) -> tuple[State, Sequence[Intent]]:
    """Book what an order still does, and sell what is left once nothing rests."""
    leaving = state.exit
    assert leaving is not None
    is_over = isinstance(event, OrderClosed) or event.is_last
    if isinstance(event, Fill):
        moved = event.qty if event.side is Side.BUY else -event.qty
        with exact():
            available = leaving.available + moved - (event.fee if event.fee_is_base else 0)
        state = state._replace(exit=leaving._replace(available=available))
    if start is not None:
        if isinstance(event, Fill):
            start = start_after(start, event)
        state = state._replace(start=start._replace(is_open=not is_over))
    elif number is not None:
        if isinstance(event, Fill):
            state, slot = slots.booked(state, number, event)
        else:
            slot = state.slots[number]
        if is_over:
            slot = slot._replace(standing=Standing.IDLE)
        state = state.with_slot(number, slot)
    assert state.phase is Phase.LEAVING
    assert state.exit is not None
    if not is_clear(state):
        return state, []
    return leave(state, state.exit._replace(asked_at=event.at), config)
