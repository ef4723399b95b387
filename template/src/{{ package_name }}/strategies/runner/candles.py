"""The candles that strategies decide on: those of the store, which have ended."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ...market.candle_tables import CandleRow
from ...market.candles import Candle, Scale, Timeframe
from ...market.instruments import Instrument


async def next_candle(
    session: AsyncSession, instrument: Instrument, timeframe: Timeframe, after: datetime
) -> Candle | None:
    """Return the first stored candle that has opened after that time, None if there is none."""
    query = (
        select(CandleRow)
        .where(
            CandleRow.symbol == instrument.symbol,
            CandleRow.timeframe == timeframe,
            CandleRow.open_time > after,
        )
        .order_by(CandleRow.open_time)
        .limit(1)
    )
    row = await session.scalar(query)
    if row is None:
        return None
    scale = Scale(instrument.price_increment, instrument.size_increment)
    opened = int(row.open_time.timestamp())
    open_, high, low, close = (
        _count(price, scale.tick) for price in (row.open, row.high, row.low, row.close)
    )
    volume = _count(row.volume, scale.lot)
    return Candle(opened, opened + timeframe.seconds, open_, high, low, close, volume, scale)


def _count(amount: Decimal, step: Decimal) -> int:
    return int(amount / step)
