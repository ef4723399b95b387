"""`/v1/candles`"""

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Final

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ..core.api import ServiceRouter, errors
from ..core.database.session import ReadingSessionDep, SessionsDep
from ..core.errors import ErrorCode, TradingException
from ..exchanges.client import VenueError
from ..market import candle_gaps, candles
from ..market.candle_codes import CandleErrorCode
from ..market.candle_store import Stored, closed_candles
from ..market.candles import Timeframe
from ..market.instruments import InstrumentErrorCode
from ..market.money import Amount, multiply
from ..market.words import Symbol
from ..trading.candles.fetching import fetch_candles as fetched_parts
from .page import FromRow, Page, example
from .security import AdminAccount, ReadAccount
from .trading import TradingDep

router = ServiceRouter(prefix="/candles", tags=["candles"])

FETCH_SECONDS: Final = 3.0
"""For so long a request fetches; what is left is left to the next one."""
_AT_ONCE: Final = 300

_First = Annotated[AwareDatetime | None, Query(alias="from", description="The first opens then")]
_End = Annotated[AwareDatetime | None, Query(alias="to", description="All open before")]
_After = Annotated[AwareDatetime | None, Query(description="`next_cursor` of the page before")]


class Candle(BaseModel):
    """Prices of an interval that has ended; they never change. `volume` is in base units."""

    model_config = ConfigDict(
        json_schema_extra=example(
            open_time="2026-01-01T00:00:00Z",
            close_time="2026-01-01T00:01:00Z",
            open="50000",
            high="50053.07",
            low="49796.96",
            close="49812.26",
            volume="31.5",
        )
    )

    open_time: datetime
    close_time: datetime
    open: Amount
    high: Amount
    low: Amount
    close: Amount
    volume: Amount


class CandlePage(Page[Candle]):
    """Part of the list of candles, oldest first."""


class CandleGap(FromRow):
    """Candles that are missing between two that are stored: those that open from `start` to `end`.

    Of `missing` candles, the exchange has said again and again of `explained` that it has none.
    """

    model_config = ConfigDict(
        json_schema_extra=example(
            start="2026-01-01T00:05:00Z", end="2026-01-01T00:08:00Z", missing=3, explained=1
        )
    )

    start: datetime
    end: datetime
    missing: int
    explained: int


class CandleGapPage(Page[CandleGap]):
    """Part of the list of gaps, oldest first."""


class CandleFetch(BaseModel):
    """Candles to fetch from the exchange: those that open from `from` on and before `to`."""

    model_config = ConfigDict(
        extra="forbid",
        serialize_by_alias=True,
        json_schema_extra=example(
            **{
                "symbol": "BTC-USDT",
                "timeframe": "1m",
                "from": "2026-01-01T00:00:00Z",
                "to": "2026-01-01T01:00:00Z",
            }
        ),
    )

    symbol: Symbol
    timeframe: Timeframe
    first: AwareDatetime = Field(alias="from", ge=datetime(1970, 1, 1, tzinfo=UTC))
    end: AwareDatetime = Field(alias="to")


class CandlesFetched(BaseModel):
    """Count of the candles up to `until`: new ones, those stored alike, and replaced ones.

    Where `is_done` is false, ask again with `from` set to `until`.
    """

    model_config = ConfigDict(
        json_schema_extra=example(
            until="2026-01-01T01:00:00Z", is_done=True, inserted=60, equal=0, changed=0
        )
    )

    until: datetime
    is_done: bool
    inserted: int
    equal: int
    changed: int


@router.get(
    "",
    summary="List stored candles, oldest first",
    responses=errors(
        InstrumentErrorCode.INSTRUMENT_NOT_FOUND,
        CandleErrorCode.CANDLES_OFF_SCALE,
    ),
)
async def list_candles(
    _account: ReadAccount,
    session: ReadingSessionDep,
    symbol: Symbol,
    timeframe: Timeframe,
    first: _First = None,
    end: _End = None,
    after: _After = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 500,
) -> CandlePage:
    """A candle that is not there is no candle without trades: `/v1/candles/gaps` lists them."""
    rows = await closed_candles(
        session,
        symbol,
        timeframe,
        after=_end_before(first) if after is None else int(after.timestamp()),
        until=None if end is None else _ceil(end) - 1 + timeframe.seconds,
        limit=limit + 1,
    )
    page = [_shown(row) for row in rows[:limit]]
    cursor = _told(page[-1].open_time) if len(rows) > limit else None
    return CandlePage(items=page, next_cursor=cursor)


def _end_before(first: datetime | None) -> int | None:
    return None if first is None else _ceil(first) - 1


def _ceil(at: datetime) -> int:
    return int(at.timestamp()) + (at.microsecond > 0)


def _shown(candle: candles.Candle) -> Candle:
    tick, lot = candle.scale
    open_, high, low, close = (multiply(tick, Decimal(price)) for price in candle[2:6])
    return Candle(
        open_time=candle.opened_at,
        close_time=candle.closed_at,
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=multiply(lot, Decimal(candle.volume)),
    )


def _told(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


@router.get("/gaps", summary="List the candles that are missing between stored ones")
async def list_candle_gaps(
    _account: ReadAccount,
    session: ReadingSessionDep,
    symbol: Symbol,
    timeframe: Timeframe,
    first: _First = None,
    end: _End = None,
    after: _After = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> CandleGapPage:
    rows = await candle_gaps.find_gaps(
        session, symbol, timeframe, first, end, after=after, limit=limit + 1
    )
    page = [CandleGap.model_validate(row) for row in rows[:limit]]
    cursor = _told(page[-1].start) if len(rows) > limit else None
    return CandleGapPage(items=page, next_cursor=cursor)


@router.post(
    "/fetch",
    summary="Store candles that the exchange has; needs the scope `admin`",
    responses=errors(
        InstrumentErrorCode.INSTRUMENT_NOT_FOUND,
        CandleErrorCode.NO_CANDLES,
        CandleErrorCode.CANDLES_OFF_SCALE,
        CandleErrorCode.NO_ANSWER,
        ErrorCode.OVERLOADED,
        ErrorCode.SERVICE_UNAVAILABLE,
    ),
)
async def fetch_candles(
    wanted: CandleFetch, _account: AdminAccount, trading: TradingDep, sessions: SessionsDep
) -> CandlesFetched:
    """Fetch for three seconds at most, and say how far that went; to do it twice does no harm.

    Candles that have not ended are left out.
    """
    started = time.monotonic()
    done, until = Stored(), wanted.first
    end = min(wanted.end, datetime.now(UTC))
    parts = fetched_parts(
        trading.exchange,
        sessions,
        wanted.symbol,
        wanted.timeframe,
        wanted.first,
        end,
        at_once=_AT_ONCE,
    )
    try:
        async for part in parts:
            done += part.stored
            until = part.until
            if time.monotonic() - started > FETCH_SECONDS:
                break
    except VenueError as error:
        raise TradingException(
            CandleErrorCode.NO_ANSWER, str(error), {"symbol": wanted.symbol}
        ) from error
    finally:
        await parts.aclose()
    return CandlesFetched(until=until, is_done=until >= end, **done._asdict())
