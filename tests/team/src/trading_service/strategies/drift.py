"""Buy what has fallen, sell what has risen."""

from collections.abc import Sequence
from decimal import Decimal

from ..desk.feed import Feed
from ..market.words import Side


def decide(feed: Feed, symbol: str, history: Sequence[Decimal]) -> Side | None:
    """Return the side to take at the feed's price, or None where nothing has moved."""
    drift = feed.prices[symbol] - history[-1]
    if not drift:
        return None
    return Side.SELL if drift > 0 else Side.BUY
