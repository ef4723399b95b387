"""The prices that the desk looks at."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Annotated

from fastapi import Depends

from ..core.api.resources import Resources, resource


class Feed:
    """The last price of each symbol, and how often somebody has looked at them."""

    def __init__(self) -> None:
        self.prices: dict[str, Decimal] = {}
        self.looks = 0
        self.is_open = True


@asynccontextmanager
async def open_feed(_resources: Resources) -> AsyncIterator[Feed]:
    """Open a feed while the service runs."""
    feed = Feed()
    try:
        yield feed
    finally:
        feed.is_open = False


async def look(resources: Resources) -> None:
    """Look at the prices once."""
    resources[open_feed].looks += 1


FeedDep = Annotated[Feed, Depends(resource(open_feed))]
