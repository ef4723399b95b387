"""The candles that strategies decide on: those of the store, which have ended."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from ...market.candle_store import closed_candles
from ...market.candles import Candle, Scale, Timeframe
from ...market.instruments import Instrument
from ...market.money import plain


async def next_candle(
    session: AsyncSession, instrument: Instrument, timeframe: Timeframe, after: datetime
) -> Candle | None:
    """Return the first stored candle that has opened after that time, None if there is none."""
    found = await closed_candles(
        session, instrument.symbol, timeframe, after=int(after.timestamp()), limit=1
    )
    if not found:
        return None
    scale = found[0].scale
    return found[0]._replace(scale=Scale(shortest(scale.tick), shortest(scale.lot)))


def shortest(amount: Decimal) -> Decimal:
    """Return the amount without the zeros that a column adds: people read it in notes."""
    return Decimal(plain(amount))
