"""Settings of GRID, named as in the seed."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from ..amounts import Number
from ..strategy import Params


class Mode(StrEnum):
    """Distance of the levels: the same amount (`arithmetic`), or ratio (`geometric`)."""

    ARITHMETIC = "arithmetic"
    GEOMETRIC = "geometric"


class Inventory(StrEnum):
    """Source of what the grid sells first: it buys that, or it is there already."""

    BUY = "buy"
    EXISTING = "existing"


class OnExit(StrEnum):
    """Behavior when the price leaves the range, or the time is over.

    `hold`: outside of the range it waits; when the time is over, it is as `cancel`. `cancel`: its
    orders are canceled and it ends. `close`: its base currency is sold too.
    """

    HOLD = "hold"
    CANCEL = "cancel"
    CLOSE = "close"


def _split(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) and "," in value else value


class GridParams(Params):
    """Settings of GRID. Prices are in the quote currency."""

    min_price: Number = Field(gt=0, description="Lowest level")
    max_price: Number = Field(gt=0, description="Highest level; above min_price")
    grid_num: int = Field(20, ge=1, le=40, description="Slots: pairs of neighboring levels")
    mode: Mode = Field(
        Mode.ARITHMETIC, description="Levels at equal distances (arithmetic) or ratios (geometric)"
    )
    amount: Annotated[Number | tuple[Number, ...], BeforeValidator(_split)] = Field(
        description="Quote currency of each slot: one number for all, or grid_num of them"
    )
    inventory: Inventory = Field(
        Inventory.BUY,
        description="What it sells first: bought at the market (buy), or there already (existing)",
    )
    on_exit: OnExit = Field(
        OnExit.HOLD,
        description="When the price leaves the range or the time is over: hold, cancel (its"
        " orders, and end), or close (sell its base currency too)",
    )
    stop_price: Number | None = Field(
        None, gt=0, description="Bid at which it sells all and ends; below min_price"
    )
    take_profit_price: Number | None = Field(
        None, gt=0, description="Close of a candle at which it sells all and ends; above max_price"
    )
    stop_loss: Number | None = Field(
        None,
        gt=0,
        le=100,
        description="Loss at a candle's close, in % of all amounts, with which it sells all and"
        " ends",
    )
    custom_stop: int | None = Field(
        None, ge=1, le=5_256_000, description="Minutes after which it ends, as on_exit has it"
    )

    @property
    def amounts(self) -> tuple[Decimal, ...]:
        """Amount of each slot."""
        if isinstance(self.amount, tuple):
            return self.amount
        return (self.amount,) * self.grid_num
