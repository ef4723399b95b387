"""The candles that strategies decide on: those of the store, which have ended."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from ...market.candle_store import closed_candles
from ...market.candles import Candle, Timeframe
from ...market.instruments import Instrument


async def next_candle(
    session: AsyncSession, instrument: Instrument, timeframe: Timeframe, after: datetime
) -> Candle | None:
    """Return the first stored candle that has opened after that time, None if there is none."""
    found = await closed_candles(
        session, instrument.symbol, timeframe, after=int(after.timestamp()), limit=1
    )
    return found[0] if found else None
