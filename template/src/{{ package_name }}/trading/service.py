"""Trading while it runs: the exchange, its quotes, and what sends and settles orders."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from ..core.api.resources import Resources
from ..core.database.transactions import Source
from .orders.placing import Terms
from .quotes import Quotes
from .risk.limits import get_limits
from .settings import TradingSettings


class Trading:
    """What handlers use of it."""

    def __init__(self, settings: TradingSettings, quotes: Quotes) -> None:
        self.settings = settings
        self.quotes = quotes

    async def terms(self, source: Source, account_id: UUID, symbol: str) -> Terms:
        """Return the terms on which the account can trade the instrument now."""
        limits = await get_limits(source, account_id, self.settings.risk)
        return Terms(limits, self.quotes.last(symbol))


@asynccontextmanager
async def open_trading(resources: Resources) -> AsyncIterator[Trading]:
    """Open the exchange, and do all that trading needs until the last request has ended."""
    raise NotImplementedError
    yield
