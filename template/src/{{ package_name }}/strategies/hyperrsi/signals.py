"""Signals of HYPERRSI in the closes: the RSI, the trend, and whether it is time to buy."""

from typing import NamedTuple

from ...market.candles import Candle
from ..indicators import Ema, Rsi, Sma
from .params import EntryOption, HyperRsiParams

FAST = 7
SLOW = 20
DOWN = -2
"""State of the trend in which nothing is bought; 0 is neither, 2 is up."""


class Signals(NamedTuple):
    """Indicators after the newest candle. Their prices are ticks."""

    rsi: Rsi
    ema: Ema
    sma: Sma
    before: float | None = None
    """The RSI one candle earlier."""
    now: float | None = None
    until: int = 0
    """Time at which the newest candle has closed; 0 before the first."""

    def after(self, candle: Candle) -> "Signals":
        rsi, ema, sma, _, before, _ = self
        close = candle.close
        rsi = rsi.after(close)
        return Signals(
            rsi, ema.after(close), sma.after(close), before, rsi.value, candle.close_time
        )

    def trend(self, threshold: float) -> int | None:
        """Return -2, 0 or 2: where the fast average is, against the slow one; None too early."""
        fast = self.ema.value
        slow = self.sma.value
        if slow is None or fast is None:
            return None
        distance = (fast - slow) / slow
        if distance < -threshold:
            return DOWN
        return 2 if distance > threshold else 0


def new_signals(params: HyperRsiParams) -> Signals:
    return Signals(Rsi(params.rsi_length), Ema(FAST), Sma(SLOW))


def is_long_signal(
    option: EntryOption, before: float | None, now: float | None, oversold: float
) -> bool:
    """Return whether the RSI says to buy. It says nothing while it is not known."""
    if now is None:
        return False
    if option is EntryOption.BEYOND:
        return now < oversold
    if before is None:
        return False
    if option is EntryOption.CROSS_INTO:
        return before > oversold >= now
    if option is EntryOption.CROSS_BACK:
        return before < oversold <= now
    return (before < oversold or now < oversold) and now > before
