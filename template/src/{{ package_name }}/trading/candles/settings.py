"""Settings of the candles that are collected."""

from typing import NamedTuple

from pydantic import Field, TypeAdapter, ValidationError, field_validator

from ...core.config.groups import Group
from ...market.candles import Timeframe
from ...market.words import Symbol

_SYMBOL: TypeAdapter[str] = TypeAdapter(Symbol)


class Feed(NamedTuple):
    """Candles that are wanted."""

    symbol: str
    timeframe: Timeframe


class CandleSettings(Group):
    feeds: str = Field(
        "",
        description="Candles that are stored as they end, beside those of running strategies, such"
        " as BTC-USDT/1m,ETH-USDT/15m",
    )
    backfill: int = Field(
        500,
        ge=1,
        le=10_000,
        description="Candles that are asked for when a feed begins, counted back from now; gaps of"
        " that time are looked at again and again. With fewer than a strategy warms up with, it"
        " waits",
    )

    @field_validator("feeds")
    @classmethod
    def _feeds_are_known(cls, value: str) -> str:
        _feeds_of(value)
        return value

    @property
    def wanted(self) -> set[Feed]:
        """CANDLES_FEEDS, read."""
        return _feeds_of(self.feeds)


def _feeds_of(text: str) -> set[Feed]:
    feeds = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        symbol, _, timeframe = part.partition("/")
        try:
            feeds.add(Feed(_SYMBOL.validate_python(symbol), Timeframe(timeframe)))
        except (ValidationError, ValueError):
            known = ", ".join(Timeframe)
            raise ValueError(
                f"is symbols and timeframes, such as BTC-USDT/1m; timeframes are {known}"
            ) from None
    return feeds
