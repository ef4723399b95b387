"""The states of an order, and the only changes between them."""

from enum import StrEnum


class OrderStatus(StrEnum):
    """State of an order.

    `pending_new`: stored, and on its way to the exchange. `new`: it rests there.
    `pending_cancel`: its owner wants it canceled, and the exchange has not said that it is.
    `denied`: this service refused it. `rejected`: the exchange did. `expired`: its time was over.
    """

    PENDING_NEW = "pending_new"
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    PENDING_CANCEL = "pending_cancel"
    CANCELED = "canceled"
    REJECTED = "rejected"
    DENIED = "denied"
    EXPIRED = "expired"

    @property
    def is_open(self) -> bool:
        """Tell whether something may still be filled."""
        return self in OPEN


_S = OrderStatus

TRANSITIONS = {
    _S.PENDING_NEW: frozenset(
        {_S.NEW, _S.PARTIALLY_FILLED, _S.FILLED, _S.PENDING_CANCEL}
        | {_S.REJECTED, _S.CANCELED, _S.EXPIRED}
    ),
    _S.NEW: frozenset(
        {_S.PARTIALLY_FILLED, _S.FILLED, _S.PENDING_CANCEL, _S.REJECTED, _S.CANCELED, _S.EXPIRED}
    ),
    _S.PARTIALLY_FILLED: frozenset({_S.FILLED, _S.PENDING_CANCEL, _S.CANCELED, _S.EXPIRED}),
    # Refused by the exchange, a cancellation leaves the order as it was.
    _S.PENDING_CANCEL: frozenset(
        {_S.NEW, _S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELED, _S.REJECTED, _S.EXPIRED}
    ),
    # A fill may be reported after the cancellation was.
    _S.CANCELED: frozenset({_S.FILLED}),
    _S.FILLED: frozenset(),
    _S.REJECTED: frozenset(),
    _S.DENIED: frozenset(),
    _S.EXPIRED: frozenset(),
}
"""The changes that may happen; everything that changes a status asks `checked_change`."""

OPEN = frozenset({_S.PENDING_NEW, _S.NEW, _S.PARTIALLY_FILLED, _S.PENDING_CANCEL})


class ForbiddenTransitionError(Exception):
    """An order can't go from the one state to the other: it is a fault of this service."""


def checked_change(old: OrderStatus, new: OrderStatus) -> OrderStatus:
    """Return `new`. Raises ForbiddenTransitionError where an order in `old` can't become that."""
    if new is not old and new not in TRANSITIONS[old]:
        raise ForbiddenTransitionError(f"an order that is {old} can't become {new}")
    return new
