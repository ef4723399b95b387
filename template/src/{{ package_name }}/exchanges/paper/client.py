"""The paper venue as an exchange: with the latency and the faults that it is told to have."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import TypeVar
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from ...core.database.session import Database
from ...core.database.transactions import (
    CommitOutcomeUnknownError,
    RetryableTransactionError,
)
from ...core.errors import TradingException
from ...market.candle_store import read_candles, scale_of
from ...market.candles import Candles, Timeframe
from ...market.instruments import InstrumentErrorCode, get_instrument
from ..client import (
    Ambiguous,
    AuthFailed,
    CancelOutcome,
    Maintenance,
    NotSent,
    PlaceOutcome,
    Quote,
    RateLimited,
    Rejected,
    TransferOutcome,
    Trouble,
    VenueBalance,
    VenueCandle,
    VenueError,
    VenueFill,
    VenueOrder,
    VenueOrderRequest,
)
from ..settings import PAPER, ExchangeSettings
from .fault_plan import Kind, Op
from .faults import Faults
from .matching import Rules
from .prices import draw
from .replay import Replayed
from .sessions import venue_reading_sessions, venue_sessions
from .settings import PaperSettings
from .sources import PriceSource
from .turn import Clock, Market, database_time
from .venue import FindRules, OnChange, Venue

T = TypeVar("T")

_TROUBLE: dict[Kind, Trouble] = {
    Kind.NOT_SENT: NotSent("injected: not sent"),
    Kind.TIMEOUT_BEFORE: Ambiguous("injected: no answer"),
    Kind.TIMEOUT_AFTER: Ambiguous("injected: no answer"),
    Kind.HTTP_500_BEFORE: Ambiguous("injected: HTTP 500"),
    Kind.HTTP_500_AFTER: Ambiguous("injected: HTTP 500"),
    Kind.RATE_LIMIT: RateLimited(1),
    Kind.AUTH: AuthFailed("injected: the key is not known"),
    Kind.MAINTENANCE: Maintenance("injected: closed"),
}
_REJECTED = Rejected("FAULT_INJECTED", "injected: rejected")

# The transaction is rolled back after each of them.
_NOTHING_DONE = (DBAPIError, PoolTimeoutError, RetryableTransactionError, OSError)


class PaperExchange:
    """ExchangeClient of the paper venue.

    Uses sessions of its own on the pool of `database`: never in a caller's transaction.
    """

    name = PAPER

    def __init__(
        self,
        database: Database,
        settings: ExchangeSettings,
        *,
        find_rules: FindRules | None = None,
        on_change: OnChange | None = None,
        clock: Clock = database_time,
    ) -> None:
        """Open the venue; nothing is read yet.

        `find_rules` tells it of a symbol that it has not traded yet, from the service's instruments
        unless given. `on_change` is called in this process only; other replicas look for fills.
        """
        paper = settings.paper
        sessions = venue_sessions(database, settings)
        self.venue = Venue(
            sessions,
            venue_reading_sessions(database, settings),
            Market(_source_of(database, paper), paper.fees, clock),
            find_rules or _rules_in(database.sessions),
            on_change,
        )
        self.faults = Faults(sessions, paper.plan, paper.seed)
        self._latency = paper.latency
        self._seed = paper.seed
        self._calls = count()

    async def advance(self) -> None:
        """Fill what the market has reached. Call it each PAPER_TICK_MS, in every replica."""
        await self.venue.advance_all()

    # --- Requests --------------------------------------------------------------------------------

    async def place(self, request: VenueOrderRequest) -> PlaceOutcome:
        return await self._request(
            Op.PLACE,
            request.venue_client_id,
            lambda: self.venue.place(request),
            request.client_order_id,
        )

    async def cancel(self, account_id: UUID, venue_client_id: str) -> CancelOutcome:
        return await self._request(
            Op.CANCEL, venue_client_id, lambda: self.venue.cancel(account_id, venue_client_id)
        )

    async def deposit(
        self, account_id: UUID, transfer_id: str, currency: str, amount: Decimal
    ) -> TransferOutcome:
        return await self._request(
            Op.DEPOSIT,
            transfer_id,
            lambda: self.venue.deposit(account_id, transfer_id, currency, amount),
        )

    async def _request(
        self,
        op: Op,
        client_id: str,
        do: Callable[[], Awaitable[T]],
        own_name: str | None = None,
    ) -> T | Trouble | Rejected:
        try:
            kinds = await self._of_call(op, client_id, own_name)
            trouble = next(
                (kind for kind in kinds if kind in _TROUBLE or kind is Kind.REJECT), None
            )
            if trouble is not None and not trouble.is_after:
                return _TROUBLE.get(trouble, _REJECTED)
            outcome = await do()
        except CommitOutcomeUnknownError as error:
            return Ambiguous(str(error))
        except _NOTHING_DONE as error:
            return NotSent(f"the venue's database: {error}")
        await self._wait()
        return outcome if trouble is None else _TROUBLE[trouble]

    # --- Questions -------------------------------------------------------------------------------

    async def get_order(self, account_id: UUID, venue_client_id: str) -> VenueOrder | None:
        return await self._ask(
            Op.ORDER, venue_client_id, lambda: self.venue.order(account_id, venue_client_id)
        )

    async def open_orders(self, account_id: UUID) -> Sequence[VenueOrder]:
        return await self._ask(
            Op.OPEN_ORDERS, str(account_id), lambda: self.venue.open_orders(account_id)
        )

    async def fills_since(self, account_id: UUID, cursor: str | None) -> Sequence[VenueFill]:
        kinds: list[Kind] = []
        fills = await self._ask(
            Op.FILLS,
            str(account_id),
            lambda: self.venue.fills_since(account_id, cursor, self.faults.plan.delay_ticks),
            kinds,
        )
        if Kind.DUPLICATE in kinds:
            fills = [fill for fill in fills for _ in range(2)]
        return fills[::-1] if Kind.REORDER in kinds else fills

    async def balances(self, account_id: UUID) -> Sequence[VenueBalance]:
        return await self._ask(
            Op.BALANCES, str(account_id), lambda: self.venue.balances(account_id)
        )

    async def quote(self, symbol: str) -> Quote | None:
        return await self._ask(Op.QUOTE, symbol, lambda: self.venue.quote(symbol))

    async def candles(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> Sequence[VenueCandle] | None:
        return await self._ask(
            Op.CANDLES, symbol, lambda: self.venue.candles(symbol, timeframe, start, end)
        )

    async def deposited(self, account_id: UUID, transfer_id: str) -> bool:
        return await self._ask(
            Op.DEPOSITED, transfer_id, lambda: self.venue.deposited(account_id, transfer_id)
        )

    async def server_time(self) -> datetime:
        return await self._ask(Op.TIME, "", self.venue.now)

    async def _ask(
        self,
        op: Op,
        client_id: str,
        do: Callable[[], Awaitable[T]],
        kinds: list[Kind] | None = None,
    ) -> T:
        """Return the answer; what is wrong with it is added to `kinds`. Raises VenueError."""
        try:
            found = await self._of_call(op, client_id)
            if trouble := next((_TROUBLE[kind] for kind in found if kind in _TROUBLE), None):
                raise VenueError(trouble)
            answer = await do()
        except (CommitOutcomeUnknownError, *_NOTHING_DONE) as error:
            raise VenueError(NotSent(f"the venue's database: {error}")) from error
        await self._wait()
        if kinds is not None:
            kinds += found
        return answer

    async def _of_call(self, op: Op, client_id: str, own_name: str | None = None) -> list[Kind]:
        await self._wait()
        return await self.faults.of_call(op, client_id, own_name)

    async def _wait(self) -> None:
        least, most = self._latency
        if most:
            drawn = draw(self._seed, "latency", next(self._calls)) % (most - least + 1)
            await asyncio.sleep((least + drawn) / 1000)


def _source_of(database: Database, paper: PaperSettings) -> PriceSource | None:
    """Return the market that moves by itself; None where prices are posted."""
    plan = paper.replay
    if plan is None:
        return paper.source

    async def read(symbol: str, timeframe: Timeframe, start: int, end: int) -> Candles:
        scale = scale_of(await get_instrument(database.sessions, symbol))
        found = Candles(scale, timeframe.seconds)
        async for part in read_candles(database.sessions, symbol, timeframe, start, end):
            found.extend(part)
        return found

    return Replayed(plan, read)


def _rules_in(sessions: async_sessionmaker[AsyncSession]) -> FindRules:
    """Return what finds an instrument among those of the service."""

    async def find(symbol: str) -> Rules | None:
        try:
            instrument = await get_instrument(sessions, symbol)
        except TradingException as error:
            if error.code is InstrumentErrorCode.INSTRUMENT_NOT_FOUND:
                return None
            raise
        return Rules(
            symbol=instrument.symbol,
            base_currency=instrument.base_currency,
            quote_currency=instrument.quote_currency,
            price_increment=instrument.price_increment,
            size_increment=instrument.size_increment,
        )

    return find
