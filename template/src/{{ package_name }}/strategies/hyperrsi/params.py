"""Settings of HYPERRSI, named as in the seed."""

from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import Field

from ..amounts import Number
from ..strategy import Params


class EntryOption(StrEnum):
    """Movement of the RSI that is a signal to buy; `os` is the border `rsi_oversold`.

    `cross_into`: it falls to os or below. `turn`: it rises, from or within the zone below os.
    `cross_back`: it rises to os or above. `beyond`: it is below os.
    """

    CROSS_INTO = "cross_into"
    TURN = "turn"
    CROSS_BACK = "cross_back"
    BEYOND = "beyond"


class HyperRsiParams(Params):
    """Settings of HYPERRSI. Percentages are of a price; times are in seconds."""

    investment: Number = Field(
        Decimal(200), gt=0, description="Quote currency that the first entry spends"
    )
    direction: str = Field("long", description="Only long: a short needs a margin account")
    leverage: Number = Field(Decimal(1), description="Only 1: borrowing needs a margin account")

    rsi_length: int = Field(14, ge=2, le=100, description="Candles that the RSI averages")
    rsi_oversold: float = Field(30, gt=0, lt=100, description="RSI below which it is time to buy")
    rsi_overbought: float = Field(
        70, gt=0, lt=100, description="RSI above which a short would begin; above rsi_oversold"
    )
    entry_option: EntryOption = Field(
        EntryOption.CROSS_INTO,
        description="What the RSI must do: cross_into, turn, cross_back or beyond",
    )

    use_trend_logic: bool = Field(
        True, description="Whether nothing is bought while the trend is down"
    )
    trend_threshold: float = Field(
        0.02,
        ge=0,
        lt=1,
        description="Share by which EMA(7) is below SMA(20) when the trend is down",
    )
    use_trend_close: bool = Field(
        True, description="Whether everything is sold at a close with the trend down"
    )
    trend_timeframe: str = Field("auto", description="Only auto: the strategy's own timeframe")

    tp_option: str = Field("percentage", description="Only percentage: of the average price")
    tp1_value: Number = Field(Decimal(2), gt=0, le=1000, description="% above the average: TP1")
    tp2_value: Number = Field(Decimal(3), gt=0, le=1000, description="% above the average: TP2")
    tp3_value: Number = Field(Decimal(4), gt=0, le=1000, description="% above the average: TP3")
    tp1_ratio: Number = Field(Decimal(30), gt=0, le=100, description="% of the position: TP1")
    tp2_ratio: Number = Field(Decimal(30), gt=0, le=100, description="% of the position: TP2")
    tp3_ratio: Number = Field(Decimal(40), gt=0, le=100, description="% of the position: TP3")
    use_tp1: bool = Field(True, description="Whether TP1 is placed")
    use_tp2: bool = Field(True, description="Whether TP2 is placed")
    use_tp3: bool = Field(True, description="Whether TP3 is placed")

    use_sl: bool = Field(False, description="Whether there is a stop below the average price")
    sl_option: str = Field("percentage", description="Only percentage: of the average price")
    sl_value: Number = Field(Decimal(5), gt=0, lt=100, description="% below the average: the stop")
    use_sl_on_last: bool = Field(
        False, description="Whether that stop is set with the last entry only (pyramiding_limit)"
    )

    use_break_even: bool = Field(True, description="Whether TP1 moves the stop to the average")
    use_break_even_tp2: bool = Field(True, description="Whether TP2 moves the stop to TP1's price")
    use_break_even_tp3: bool = Field(True, description="Whether TP3 moves the stop to TP2's price")

    trailing_stop_active: bool = Field(
        False, description="Whether the stop follows what is left after trailing_start_point"
    )
    trailing_start_point: Literal["tp1", "tp2", "tp3"] = Field(
        "tp3", description="Take-profit from which on the stop follows the price"
    )
    trailing_stop_offset_value: Number = Field(
        Decimal("0.5"), gt=0, lt=100, description="% below a candle's high: the following stop"
    )

    pyramiding_limit: int = Field(4, ge=1, le=10, description="Entries in all; 1 is no DCA")
    pyramiding_entry_type: str = Field(
        "percentage", description="Only percentage: of the reference price"
    )
    pyramiding_value: Number = Field(
        Decimal(3), gt=0, lt=100, description="% below the reference price: the next entry"
    )
    entry_criterion: Literal["average", "last"] = Field(
        "average", description="Reference of that distance: average price, or last entry's price"
    )
    entry_multiplier: Number = Field(
        Decimal(1),
        ge=Decimal("0.1"),
        le=5,
        description="Each entry spends so many times what the one before did",
    )
    use_check_DCA_with_price: bool = Field(  # noqa: N815 (the seed's name)
        True, description="Whether the price must have fallen so far for the next entry"
    )
    use_rsi_with_pyramiding: bool = Field(
        True, description="Whether the next entry needs a signal of the RSI too"
    )

    use_cooldown: bool = Field(True, description="Whether it waits after a position has closed")
    cooldown_time: int = Field(300, ge=0, le=86_400, description="Seconds of that wait")
    max_entry_failures: int = Field(
        3, ge=1, le=100, description="Entries refused in a row that pause the strategy"
    )

    @property
    def rungs(self) -> list[tuple[str, Decimal, Decimal]]:
        """Role, percent above the average and percent of the position of each take-profit."""
        every = [
            (self.use_tp1, "tp1", self.tp1_value, self.tp1_ratio),
            (self.use_tp2, "tp2", self.tp2_value, self.tp2_ratio),
            (self.use_tp3, "tp3", self.tp3_value, self.tp3_ratio),
        ]
        return [(role, value, ratio) for used, role, value, ratio in every if used]
