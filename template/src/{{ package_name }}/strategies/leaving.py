"""Leaving: orders are canceled, and once they have ended, what is left is sold.

What strategies have of that in common: what is asked for is asked for again.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from .strategy import Cancel, Intent, Note

StateT = TypeVar("StateT")

PATIENCE_SECONDS: Final = 30
"""Time after which what was asked for, and has not happened, is asked for again."""


def remind(
    state: StateT,
    again: StateT,
    waited: int,
    *,
    is_selling: bool,
    leave: Callable[[], tuple[StateT, list[Intent]]],
) -> tuple[StateT, list[Intent]]:
    """Ask again for what is to happen, once it has been waited for too long, in seconds.

    `again` is the state that has asked anew. A sale is not repeated: it could be sold twice.
    `leave` begins anew where nothing is being sold yet.
    """
    if waited < PATIENCE_SECONDS:
        return state, [Note("leaving", "waits for its orders to end")]
    if is_selling:
        late = Note("exit_late", "the sale has not ended for {} s", (PATIENCE_SECONDS,), alert=True)
        return again, [late]
    state, intents = leave()
    if any(isinstance(intent, Cancel) for intent in intents):
        late = Note(
            "exit_unconfirmed",
            "cancellations are not confirmed after {} s; asks again, and sells nothing before",
            (PATIENCE_SECONDS,),
            alert=True,
        )
        intents.append(late)
    return state, intents
