"""The tables of candles, and of candles that are missing for good."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, DateTime, String, func
from sqlalchemy.orm import Mapped, mapped_column

from ..core.database.tables import Base, one_of, words
from .candles import Timeframe
from .columns import AMOUNT, bounded


def _begins_a_candle() -> CheckConstraint:
    return CheckConstraint(
        "date_bin(timeframe::interval, open_time, '1970-01-01 00:00:00+00') = open_time",
        name="open_time_aligned",
    )


class CandleRow(Base):
    """A table of candles that have ended. Prices in quote units, volume in base units.

    `source` is who said so: an exchange, `import`, or `resample`.
    """

    __tablename__ = "candles"
    __table_args__ = (
        one_of("timeframe", Timeframe),
        bounded("low", "> 0"),
        bounded("high", "> 0"),
        bounded("volume"),
        CheckConstraint(
            "low <= open AND low <= close AND open <= high AND close <= high", name="between"
        ),
        _begins_a_candle(),
    )

    symbol: Mapped[str] = mapped_column(String(32), primary_key=True)
    timeframe: Mapped[Timeframe] = mapped_column(words(Timeframe, 4), primary_key=True)
    open_time: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    open: Mapped[Decimal] = mapped_column(AMOUNT)
    high: Mapped[Decimal] = mapped_column(AMOUNT)
    low: Mapped[Decimal] = mapped_column(AMOUNT)
    close: Mapped[Decimal] = mapped_column(AMOUNT)
    volume: Mapped[Decimal] = mapped_column(AMOUNT)
    source: Mapped[str] = mapped_column(String(16))


class GapReason(StrEnum):
    """Reasons why there is no candle.

    `none_at_venue`: the exchange has none, as it said again and again.
    """

    NONE_AT_VENUE = "none_at_venue"


class CandleGap(Base):
    """A table of candles that there are none of, so that nobody asks for them any more."""

    __tablename__ = "candle_gaps"
    __table_args__ = (
        one_of("timeframe", Timeframe),
        one_of("reason", GapReason),
        _begins_a_candle(),
    )

    symbol: Mapped[str] = mapped_column(String(32), primary_key=True)
    timeframe: Mapped[Timeframe] = mapped_column(words(Timeframe, 4), primary_key=True)
    open_time: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    reason: Mapped[GapReason] = mapped_column(words(GapReason, 16))
    found_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
