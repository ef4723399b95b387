"""Strategies while the service runs: the supervisor of this replica, and what handlers use."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Final

from ...core.api.resources import Resources
from ...core.process.periodic import every
from ...trading.service import Trading, open_trading
from ..finding import find_kinds
from . import metrics
from .candles import next_candle
from .figures import show_figures
from .managing import Rules, rules_of
from .settings import RunnerSettings, StrategySettings
from .stepping import Stepper
from .supervisor import Supervisor
from .telling import Telling

FIGURE_SECONDS: Final = 5.0


class Strategies:
    """The running of strategies in this process."""

    def __init__(
        self, resources: Resources, settings: RunnerSettings, rules: Rules, trading: Trading
    ) -> None:
        self.settings = settings
        self.rules = rules
        self.trading = trading
        telling = Telling(resources.alerts)
        self.stepper = Stepper(resources.database, settings, rules.fees, next_candle, telling)
        self.supervisor = Supervisor(
            resources.database,
            settings,
            self.stepper,
            telling,
            trading.wakes,
            terms_of=lambda account_id, symbol: trading.terms(
                resources.database.sessions, account_id, symbol
            ),
            learn_terms=lambda account_ids: trading.learn_terms(
                resources.database.sessions, account_ids
            ),
            bid_of=self._bid_of,
            settle=trading.watch.fetch_fills,
            why_no_candles=trading.candles.why_none,
            # The rest is for requests, and for what sends orders.
            at_once=max(1, resources.settings.db.pool_size // 4),
        )
        self._database = resources.database

    def price_of(self, symbol: str) -> Decimal | None:
        """Return the last price of the instrument, None while it is unknown."""
        last = self.trading.quotes.last(symbol)
        return None if last is None else last.price

    def _bid_of(self, symbol: str) -> Decimal | None:
        quote = self.trading.quotes.quote(symbol)
        return None if quote is None else quote.bid

    async def show_figures(self) -> None:
        """Set the gauges that are of the database."""
        async with self._database.sessions() as session:
            await show_figures(session)


@asynccontextmanager
async def open_strategies(resources: Resources) -> AsyncIterator[Strategies]:
    """Run the strategies that nobody else runs, until the service ends."""
    settings = resources.settings
    assert isinstance(settings, StrategySettings)
    rules = rules_of(settings)
    strategies = Strategies(resources, settings.strategies, rules, resources[open_trading])
    supervisor = strategies.supervisor
    for kind in find_kinds():
        metrics.ERRORS.labels(kind)  # from the start, or else the first would be no increase
    strategies.trading.candles.wanted.append(supervisor.feeds)
    strategies.trading.candles.waiting.append(supervisor.wake)
    async with AsyncExitStack() as running:
        running.push_async_callback(supervisor.release)
        await running.enter_async_context(every(settings.strategies.renew, supervisor.renew))
        await running.enter_async_context(every(FIGURE_SECONDS, strategies.show_figures))
        await running.enter_async_context(every(0, supervisor.run))
        yield strategies
