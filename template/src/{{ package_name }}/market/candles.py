"""Candles: the prices of an interval, once it has ended."""

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple


class Timeframe(StrEnum):
    """Length of a candle. Candles begin at multiples of it, counted from 1970 in UTC."""

    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"

    @property
    def seconds(self) -> int:
        return _SECONDS[self.value[-1]] * int(self.value[:-1])


_SECONDS = {"m": 60, "h": 3600, "d": 86_400}


class Scale(NamedTuple):
    """Steps in which candles count: quote units a tick, base units a lot.

    Whole numbers are read, kept and compared several times as fast as decimals.
    """

    tick: Decimal
    lot: Decimal


class Candle(NamedTuple):
    """A candle that has ended, of one instrument and timeframe; it never changes any more.

    `open_time` and `close_time` in seconds since 1970, prices in ticks, volume in lots.
    """

    open_time: int
    close_time: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    scale: Scale

    @property
    def close_price(self) -> Decimal:
        """The close in quote units."""
        return self.close * self.scale.tick

    @property
    def opened_at(self) -> datetime:
        return datetime.fromtimestamp(self.open_time, UTC)

    @property
    def closed_at(self) -> datetime:
        return datetime.fromtimestamp(self.close_time, UTC)
