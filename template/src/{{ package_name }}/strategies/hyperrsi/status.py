"""Status of HYPERRSI for people."""

from typing import Any

from ...market.money import plain
from .state import State


def describe(state: State) -> dict[str, Any]:
    """Return the state in words and plain numbers, ready for JSON."""
    signals, trade = state
    position = trade.position
    seen: dict[str, Any] = {
        "rsi": None if signals.now is None else round(signals.now, 2),
        "cycle": trade.cycle,
        "cooldown_until": trade.cooldown_until or None,
        "entry_pending": trade.pending.role if trade.pending else None,
        "entry_failures": trade.failures,
        "position": None,
    }
    if position is not None and trade.opened is not None:
        seen["position"] = {
            "held": plain(position.held),
            "average_price": plain(position.average),
            "entries": position.entries,
            "adds_at": plain(position.add_at),
            "stop": None if position.stop is None else plain(position.stop),
            "take_profits": {rung.key.role: plain(rung.price) for rung in position.rungs},
            "leaves_because_of": position.exit.role if position.exit else None,
            "params_version": trade.opened.version,
        }
    return seen
