"""The events of an order: what is written each time that it changes."""

from typing import Any

from ...market.money import plain
from .model import Order


def order_event(order: Order) -> dict[str, Any]:
    """Return what has changed of an order, as the stream sends it."""
    average = order.filled_avg_price
    return {
        "status": order.status.value,
        "filled_qty": plain(order.filled_qty),
        "leaves_qty": plain(order.leaves_qty),
        "filled_avg_price": None if average is None else plain(average),
        "reason_code": order.reason_code,
        "venue_order_id": order.venue_order_id,
    }
