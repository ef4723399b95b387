"""Quotes: the last prices that this process knows, and how old they are."""

import asyncio
import time
from collections.abc import Iterable
from decimal import Decimal

import structlog

from ..exchanges.client import ExchangeClient, Quote, VenueError
from ..market.money import divide
from .risk.checks import LastPrice

_log = structlog.get_logger(__name__)


class Quotes:
    """The exchange's quotes as they were when this process last asked for them."""

    def __init__(self, exchange: ExchangeClient) -> None:
        self._exchange = exchange
        self._known: dict[str, tuple[Quote, float]] = {}

    async def refresh(self, symbols: Iterable[str]) -> None:
        """Ask for all of them. One that gets no answer stays as it was, and grows old."""
        await asyncio.gather(*(self.ask(symbol) for symbol in symbols))

    async def ask(self, symbol: str) -> Quote | None:
        """Ask for the quote and remember it; None where there is no answer, or no such quote."""
        try:
            quote = await self._exchange.quote(symbol)
        except VenueError as error:
            _log.warning("no quote", symbol=symbol, reason=str(error))
            return None
        if quote is not None:
            self._known[symbol] = quote, time.monotonic()
        return quote

    def quote(self, symbol: str) -> Quote | None:
        """Return the quote as it was last seen."""
        known = self._known.get(symbol)
        return known[0] if known else None

    def last(self, symbol: str) -> LastPrice | None:
        """Return the last price and its age; of a quote without trades, the middle of it."""
        known = self._known.get(symbol)
        price = _price(known[0]) if known else None
        if known is None or price is None:
            return None
        return LastPrice(price, time.monotonic() - known[1])


def _price(quote: Quote) -> Decimal | None:
    if quote.last is not None:
        return quote.last
    sides = [side for side in (quote.bid, quote.ask) if side is not None]
    return divide(sum(sides, Decimal(0)), Decimal(len(sides))) if sides else None
