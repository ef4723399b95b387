"""The slots of a grid: each has one order, and another one when that is filled."""

from decimal import Decimal

from ...market.money import divide, exact
from ...market.words import OrderType, Side
from ..strategy import CloseReason, Config, Fill, Intent, Note, OrderClosed, Place
from .params import GridParams
from .quantities import tradable
from .state import ZERO, Slot, Standing, State

MAX_REJECTS = 3


def place(state: State, number: int, slot: Slot) -> tuple[State, list[Intent]]:
    """Have the order of a slot placed, which says all about it but the price."""
    price = state.levels[number if slot.side is Side.BUY else number + 1]
    slot = slot._replace(standing=Standing.OPEN, reason="")
    order = Place(slot.key(number), slot.side, OrderType.LIMIT, slot.qty, price, label=f"g{number}")
    return state.with_slot(number, slot), [order]


def to_sell(
    state: State, number: int, slot: Slot, config: Config[GridParams]
) -> tuple[State, list[Intent]]:
    """Have a slot sell what it owns; it buys again if that is too little for an order."""
    qty = tradable(slot.carry, state.levels[number + 1], config.market)
    if qty == 0:
        return to_buy(state, number, slot._replace(n=slot.n + 1))
    return place(state, number, slot._replace(side=Side.SELL, qty=qty, n=0))


def to_buy(state: State, number: int, slot: Slot) -> tuple[State, list[Intent]]:
    """Have a slot buy with its amount."""
    return place(state, number, slot._replace(side=Side.BUY, qty=state.quantities[number]))


def on_fill(
    state: State, number: int, fill: Fill, config: Config[GridParams]
) -> tuple[State, list[Intent]]:
    """Apply a fill to its slot. The last one of an order turns the slot round."""
    state, slot = booked(state, number, fill)
    if not fill.is_last:
        return state.with_slot(number, slot), []
    return turn(state, number, slot, config)


def booked(state: State, number: int, fill: Fill) -> tuple[State, Slot]:
    """Return the state with what a fill has gained, and the slot after it."""
    slot = state.slots[number]
    if fill.side is Side.BUY:
        return state, _bought(slot, fill)
    slot, gain = _sold(slot, fill)
    with exact():
        return state._replace(realized=state.realized + gain), slot


def turn(
    state: State, number: int, slot: Slot, config: Config[GridParams]
) -> tuple[State, list[Intent]]:
    """Have a slot do the other thing."""
    if slot.side is Side.BUY:
        return to_sell(state, number, slot, config)
    return to_buy(state, number, slot._replace(cycle=slot.cycle + 1, n=0))


def _bought(slot: Slot, fill: Fill) -> Slot:
    with exact():
        spent = fill.qty * fill.price + (0 if fill.fee_is_base else fill.fee)
        return slot._replace(
            qty=slot.qty - fill.qty,
            carry=slot.carry + fill.qty - (fill.fee if fill.fee_is_base else 0),
            cost=slot.cost + spent,
            rejects=0,
        )


def _sold(slot: Slot, fill: Fill) -> tuple[Slot, Decimal]:
    """Return the slot after a sale, and what that has gained over its average cost."""
    with exact():
        gone = fill.qty + (fill.fee if fill.fee_is_base else 0)
        part = cost_of(gone, slot.carry, slot.cost)
        gain = fill.qty * fill.price - (0 if fill.fee_is_base else fill.fee) - part
        sold = slot._replace(
            qty=slot.qty - fill.qty,
            carry=slot.carry - gone,
            cost=slot.cost - part,
            rejects=0,
        )
    return sold, gain


def cost_of(qty: Decimal, carry: Decimal, cost: Decimal) -> Decimal:
    """Return what `qty` of `carry` has cost, where all of it has cost `cost`."""
    return cost if qty >= carry else divide(cost * qty, carry)


def on_closed(
    state: State, number: int, closed: OrderClosed, config: Config[GridParams]
) -> tuple[State, list[Intent]]:
    """Place again what an order has left undone; block the slot if that is refused again."""
    slot = state.slots[number]
    price = state.levels[number if slot.side is Side.BUY else number + 1]
    rest = tradable(slot.qty, price, config.market)
    if rest == 0:
        return turn(state, number, slot, config)
    slot = slot._replace(qty=rest, n=slot.n + 1)
    why = f"{closed.reason} {closed.code}".strip()
    if closed.reason is CloseReason.CANCELED:
        return place(state, number, slot)
    if closed.reason is CloseReason.DENIED:
        slot = slot._replace(standing=Standing.DUE, reason=why)
        note = Note("slot_denied", "slot {}: {}; after the next candle again", (number, why))
        return state.with_slot(number, slot)._replace(is_due=True), [note]
    slot = slot._replace(rejects=slot.rejects + 1)
    if slot.rejects < MAX_REJECTS:
        return place(state, number, slot)
    slot = slot._replace(standing=Standing.BLOCKED, reason=why)
    note = Note(
        "slot_blocked",
        "slot {} is blocked: refused {} times, the last as {}",
        (number, MAX_REJECTS, why),
        alert=True,
    )
    return state.with_slot(number, slot), [note]


def place_due(state: State) -> tuple[State, list[Intent]]:
    """Place the orders of the slots that have waited for a candle."""
    intents: list[Intent] = []
    for number, slot in enumerate(state.slots):
        if slot.standing is Standing.DUE:
            state, placed = place(state, number, slot)
            intents += placed
    return state, intents


def totals(slots: tuple[Slot, ...]) -> tuple[Decimal, Decimal]:
    """Return what all slots own, and what that has cost."""
    with exact():
        return (
            sum((slot.carry for slot in slots), ZERO),
            sum((slot.cost for slot in slots), ZERO),
        )
