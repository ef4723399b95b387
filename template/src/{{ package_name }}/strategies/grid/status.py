"""Status of GRID for people: each slot with its order, or the reason why it has none."""

from typing import Any

from ...market.money import plain
from ...market.words import Side
from .slots import totals
from .state import Slot, State


def describe(state: State) -> dict[str, Any]:
    """Return the state in words and plain numbers, ready for JSON."""
    carry, cost = totals(state.slots)
    return {
        "phase": state.phase.value,
        "range": state.where.value,
        "realized": plain(state.realized) if state.realized else "0",
        "held": plain(carry),
        "cost_of_held": plain(cost),
        "stop": None if state.stop is None else plain(state.stop),
        "leaves_because_of": state.exit.role if state.exit else None,
        "slots": [_describe(state, number, slot) for number, slot in enumerate(state.slots)],
    }


def _describe(state: State, number: int, slot: Slot) -> dict[str, Any]:
    price = state.levels[number if slot.side is Side.BUY else number + 1]
    return {
        "slot": number,
        "standing": slot.standing.value,
        "side": slot.side.value,
        "price": plain(price),
        "qty": plain(slot.qty),
        "owns": plain(slot.carry),
        "round_trips": slot.cycle,
        "reason": slot.reason,
    }
