"""Trading while it runs: the exchange, its quotes, and what sends and settles orders."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Final
from uuid import UUID

from sqlalchemy import select

from ..core.api.resources import Resources
from ..core.database.transactions import Source
from ..core.errors import TradingException
from ..core.process.periodic import every
from ..exchanges.client import ExchangeClient
from ..exchanges.factory import open_exchange
from ..market.instruments import Instrument
from .candles.collector import Collector
from .codes import TradingErrorCode
from .dispatcher import Dispatcher
from .figures import show_figures
from .orders.placing import Terms
from .quotes import Quotes
from .reconciliation.run import Reconciler
from .risk.breaker import LOOK_SECONDS, Breaker
from .risk.limits import get_limits, learn_limits
from .settings import TradingSettings
from .venue_watch import VenueWatch
from .wakes import Wakes, woken

POLL_SECONDS: Final = 0.5
"""For so long a command or a fill waits at most where nobody was woken for it."""
QUOTE_SECONDS: Final = 1.0
FIGURE_SECONDS: Final = 5.0
START_SECONDS: Final = 1.0
"""For so long the start waits at most for the first comparison of the books."""


class Trading:
    """Work beside the requests, and its parts that handlers use."""

    def __init__(self, resources: Resources, settings: TradingSettings) -> None:
        self.settings = settings
        self.wakes = Wakes()
        exchange = open_exchange(resources.settings, resources.database, self._note_change)
        self.exchange: ExchangeClient = exchange.client
        self.works = exchange.periodic
        self.quotes = Quotes(self.exchange)
        self.watch = VenueWatch(resources.database, self.exchange, is_told=exchange.tells_at_once)
        # The other half is for requests: while a backlog is sent, they are served as before. And
        # where accounts are stuck, as few connections wait for them as admission leaves.
        db = resources.settings.db
        self.dispatcher = Dispatcher(
            resources.database,
            self.exchange,
            self.watch,
            at_once=max(1, (db.pool_size + db.max_overflow) // 2),
            settling=max(1, db.pool_size // 2),
        )
        self.reconciler = Reconciler(
            resources.database, self.exchange, self.watch, resources.alerts
        )
        self.breaker = Breaker(
            resources.database, self.quotes.last, settings.risk, resources.alerts
        )
        self.candles = Collector(
            resources.database.sessions,
            self.exchange,
            settings.candles,
            resources.alerts,
            first_seconds=exchange.candle_seconds,
        )
        self._database = resources.database
        self._look_seconds = exchange.look_seconds
        self._reconcile_at = 0.0

    async def terms(self, source: Source, account_id: UUID, symbol: str) -> Terms:
        """Return the terms on which the account can trade the instrument now.

        Raises TradingException RECONCILING until the books were compared with the exchange.
        """
        if self.reconciler.is_awaited(account_id):
            raise TradingException(
                TradingErrorCode.RECONCILING,
                "Orders are placed once the books were compared with the exchange",
                headers={"Retry-After": "1"},
            )
        limits = await get_limits(source, account_id, self.settings.risk)
        return Terms(limits, self.quotes.last(symbol))

    async def learn_terms(self, source: Source, account_ids: Collection[UUID]) -> None:
        """Read at once what `terms` would read for each of the accounts."""
        await learn_limits(source, account_ids, self.settings.risk)

    def why_not_ready(self) -> str:
        """Return why orders are not placed yet; "" once they are."""
        return "" if self.reconciler.is_done else "the books are not compared with the exchange yet"

    def _note_change(self, accounts: frozenset[UUID]) -> None:
        self.watch.note(accounts)

    # --- What runs -------------------------------------------------------------------------------

    async def dispatch(self) -> None:
        """Send what is due, as soon as there is something."""
        await woken(self.wakes.dispatcher, POLL_SECONDS)
        while await self.dispatcher.run_once():
            pass

    async def look(self) -> None:
        """Look at the exchange's fills, as soon as there are some."""
        await woken(self.watch.news, POLL_SECONDS)
        await self.watch.run_once(self._look_seconds)

    async def reconcile(self) -> None:
        """Compare the books with the exchange: until it was done once, again and again."""
        now = time.monotonic()
        if not self.reconciler.is_done or now >= self._reconcile_at:
            self._reconcile_at = now + self.settings.reconcile_interval
            await self.reconciler.run_once()

    async def try_to_reconcile(self) -> None:
        """Compare the books, for START_SECONDS at most: mostly the first request is served then.

        What goes wrong is told when it is tried again.
        """
        with suppress(Exception):
            async with asyncio.timeout(START_SECONDS):
                await self.reconcile()

    async def show_figures(self) -> None:
        """Set the gauges that are of the database."""
        async with self._database.sessions() as session:
            await show_figures(session)

    async def refresh_quotes(self) -> None:
        """Ask for the last prices of every instrument."""
        async with self._database.sessions() as session:
            symbols = (await session.scalars(select(Instrument.symbol))).all()
        await self.quotes.refresh(symbols)


@asynccontextmanager
async def open_trading(resources: Resources) -> AsyncIterator[Trading]:
    """Open the exchange, and do all that trading needs until the last request has ended."""
    assert isinstance(resources.settings, TradingSettings)
    trading = Trading(resources, resources.settings)
    resources.health.waits["trading"] = trading.why_not_ready
    trading.wakes.tell(resources.database.sessions.kw["info"])
    channel = f"{resources.settings.slug}:{resources.settings.db_schema}:wakes"
    works: list[tuple[float, Callable[[], Awaitable[None]]]] = [
        *trading.works,
        (QUOTE_SECONDS, trading.refresh_quotes),
        (FIGURE_SECONDS, trading.show_figures),
        (0, trading.dispatch),
        (0, trading.look),
        (LOOK_SECONDS, trading.breaker.run_once),
        (0, trading.candles.run),
        (POLL_SECONDS, partial(trading.wakes.publish, resources.redis, channel)),
        (POLL_SECONDS, partial(trading.wakes.listen, resources.redis, channel)),
    ]
    async with AsyncExitStack() as running:
        for seconds, work in works:
            await running.enter_async_context(every(seconds, work))
        await trading.try_to_reconcile()
        await running.enter_async_context(every(POLL_SECONDS, trading.reconcile))
        yield trading
