"""Indicators, one candle at a time. Each is a value of its own: `after` returns the next one.

Numbers are floats, as in every other program that has them; prices may be in any unit, such as the
ticks of a candle. RSI and ATR are smoothed after Wilder ("New Concepts in Technical Trading
Systems", 1978): the first average is a simple one, each later one is (average x (n - 1) + new) / n.
"""

from typing import NamedTuple


class Rsi(NamedTuple):
    """Relative strength index of closes, 0 to 100."""

    length: int
    seen: int = 0
    """Closes so far, at most `length` + 1."""
    last: float = 0.0
    gain: float = 0.0
    """Average of the rises; their sum until there is one."""
    loss: float = 0.0

    def after(self, close: float) -> "Rsi":
        length, seen, last, gain, loss = self
        change = close - last
        if seen > length:
            if change > 0:
                gain = (gain * (length - 1) + change) / length
                loss = loss * (length - 1) / length
            else:
                gain = gain * (length - 1) / length
                loss = (loss * (length - 1) - change) / length
            return Rsi(length, seen, close, gain, loss)
        if seen == 0:
            return Rsi(length, 1, close)
        if change > 0:
            gain += change
        else:
            loss -= change
        if seen == length:
            gain /= length
            loss /= length
        return Rsi(length, seen + 1, close, gain, loss)

    @property
    def value(self) -> float | None:
        """The index; None while there are too few closes, and where no close has ever changed."""
        moved = self.gain + self.loss
        if self.seen <= self.length or moved == 0:
            return None
        return 100 * self.gain / moved


class Atr(NamedTuple):
    """Average true range, in the unit of the prices."""

    length: int
    seen: int = 0
    """Candles so far, at most `length` + 1. The first has no close before it, and no range."""
    last: float = 0.0
    average: float = 0.0
    """Average of the ranges; their sum until there is one."""

    def after(self, high: float, low: float, close: float) -> "Atr":
        length, seen, last, average = self
        if seen == 0:
            return Atr(length, 1, close)
        true_range = max(high, last) - min(low, last)
        if seen > length:
            return Atr(length, seen, close, (average * (length - 1) + true_range) / length)
        average += true_range
        return Atr(length, seen + 1, close, average / length if seen == length else average)

    @property
    def value(self) -> float | None:
        """The average; None while there are too few candles."""
        return self.average if self.seen > self.length else None


class Ema(NamedTuple):
    """Exponential moving average with the weight 2 / (length + 1); it begins as the first price.

    TA-Lib begins with a simple average instead, and differs until that is forgotten.
    """

    length: int
    value: float | None = None

    def after(self, price: float) -> "Ema":
        length, value = self
        if value is None:
            return Ema(length, float(price))
        return Ema(length, value + (price - value) * 2 / (length + 1))


class Sma(NamedTuple):
    """Simple moving average. Whole numbers, such as ticks, are added up exactly."""

    length: int
    prices: tuple[int, ...] = ()
    """The newest `length` of them, the oldest first."""
    total: int = 0

    def after(self, price: int) -> "Sma":
        length, prices, total = self
        if len(prices) == length:
            return Sma(length, (*prices[1:], price), total - prices[0] + price)
        return Sma(length, (*prices, price), total + price)

    @property
    def value(self) -> float | None:
        """The average; None while there are too few prices."""
        return self.total / self.length if len(self.prices) == self.length else None
