"""Candles asked of the exchange, and stored."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from decimal import Context, localcontext
from itertools import pairwise
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from ...core.database.transactions import run_in_transaction
from ...core.errors import TradingException
from ...exchanges.client import ExchangeClient, NoCandlesError, VenueCandle
from ...market.candle_codes import CandleErrorCode
from ...market.candle_store import Stored, scale_of, store_candles
from ...market.candles import Candles, Scale, Timeframe
from ...market.instruments import get_instrument

_AT_ONCE: Final = 1_000
_LONGEST: Final = timedelta(days=10)  # what the paper venue computes in a second or so

_WIDE: Final = Context(prec=80)


class Fetched(NamedTuple):
    """Candles up to `until` are stored: how many in this part, and what became of them."""

    until: datetime
    stored: Stored


async def fetch_candles(
    exchange: ExchangeClient,
    sessions: async_sessionmaker[AsyncSession],
    symbol: str,
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
    *,
    at_once: int = _AT_ONCE,
) -> AsyncGenerator[Fetched, None]:
    """Store the exchange's candles that open from `start` on and before `end`, part by part.

    Parts have `at_once` candles at most, and ten days; the next one is asked for while one is
    stored. Candles that have not ended are left out.

    Raises TradingException INSTRUMENT_NOT_FOUND, NO_CANDLES, or CANDLES_OFF_SCALE if what comes is
    not made of the instrument's increments; VenueError where the exchange does not answer.
    """
    scale = scale_of(await get_instrument(sessions, symbol))
    size = max(1, min(at_once, _LONGEST // timeframe.length))
    edges = [start]
    while edges[-1] < end:
        edges.append(min(edges[-1] + size * timeframe.length, end))
    asked: asyncio.Task[Candles] | None = None

    def ask(part: tuple[datetime, datetime]) -> asyncio.Task[Candles]:
        return asyncio.create_task(_ask(exchange, symbol, timeframe, scale, *part))

    parts = list(pairwise(edges))
    try:
        for place, (_, until) in enumerate(parts):
            candles = await (asked or ask(parts[place]))
            asked = ask(parts[place + 1]) if place + 1 < len(parts) else None
            stored = await run_in_transaction(
                sessions, store_candles, symbol, timeframe, candles, exchange.name
            )
            yield Fetched(until, stored)
    finally:
        if asked is not None:
            asked.cancel()
            await asyncio.wait([asked])


async def _ask(
    exchange: ExchangeClient,
    symbol: str,
    timeframe: Timeframe,
    scale: Scale,
    start: datetime,
    end: datetime,
) -> Candles:
    try:
        found = await exchange.candles(symbol, timeframe, start, end)
    except NoCandlesError as error:
        raise TradingException(
            CandleErrorCode.NO_CANDLES, str(error), {"symbol": symbol, "timeframe": timeframe}
        ) from error
    if found is None:
        raise TradingException(
            CandleErrorCode.NO_CANDLES,
            f"The exchange does not trade {symbol}",
            {"symbol": symbol, "timeframe": timeframe},
        )
    return counted(found, scale, timeframe, symbol)


def counted(
    candles: Sequence[VenueCandle], scale: Scale, timeframe: Timeframe, symbol: str
) -> Candles:
    """Return an exchange's candles in ticks and lots; of a volume, whole lots.

    Raises TradingException CANDLES_OFF_SCALE.
    """
    rows = []
    with localcontext(_WIDE):
        for candle in candles:
            row = [int(candle.open_time.timestamp())]
            for price in candle[1:5]:
                ticks, rest = divmod(price, scale.tick)
                if rest:
                    raise TradingException(
                        CandleErrorCode.CANDLES_OFF_SCALE,
                        f"The exchange has a price of {price:f} for {symbol}, which is no multiple"
                        f" of {scale.tick:f}",
                        {"symbol": symbol},
                    )
                row.append(int(ticks))
            row.append(int(candle.volume // scale.lot))
            rows.append(row)
    return Candles(scale, timeframe.seconds, rows)
