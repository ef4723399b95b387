"""Settings of the paper venue."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

from pydantic import Field, field_validator

from ...core.config.groups import Group
from .fault_plan import FaultPlan, parse_faults
from .matching import Fees
from .sources import Seeded

Rate = Annotated[Decimal, Field(ge=0, lt=Decimal("0.1"), max_digits=6, decimal_places=6)]


class PaperSettings(Group):
    prices: Literal["seeded", "posted"] = Field(
        "seeded",
        description="Where prices come from: seeded computes a market that moves from PAPER_SEED;"
        " with posted they are the ones that an administrator posts, and time stands still between",
    )
    seed: Annotated[str, Field(min_length=1, max_length=64)] = Field(
        "paper-1", description="Any word; another one is another market. The same for all replicas"
    )
    tick_ms: Annotated[int, Field(ge=10, le=3_600_000)] = Field(
        1000, description="Milliseconds for which a price stays; the same for all replicas"
    )
    latency_ms: str = Field(
        "0", description="Milliseconds each way that the venue takes to answer, such as 20:80"
    )
    faults: str = Field(
        "",
        description="Shares of the calls that go wrong, such as place.timeout_after=0.02,"
        "fills.duplicate=0.1; docs/paper-venue.md has them all",
    )
    anchors: str = Field(
        "BTC-USDT=50000,ETH-USDT=2500",
        description="Prices that seeded ones move around; of a symbol that is not listed, 100000"
        " times its price increment",
    )
    maker_fee: Rate = Field(
        Decimal("0.0008"), description="Share that the venue keeps of what a waiting order gets"
    )
    taker_fee: Rate = Field(
        Decimal("0.001"), description="Share that it keeps of what an order gets at once"
    )

    @field_validator("prices", mode="before")
    @classmethod
    def _is_no_replay(cls, value: object) -> object:
        if value == "replay":
            raise ValueError("replay needs stored candles, which this service does not have yet")
        return value

    @field_validator("latency_ms")
    @classmethod
    def _latency_is_a_range(cls, value: str) -> str:
        _range_of(value)
        return value

    @field_validator("faults")
    @classmethod
    def _faults_are_known(cls, value: str) -> str:
        parse_faults(value)
        return value

    @field_validator("anchors")
    @classmethod
    def _anchors_are_prices(cls, value: str) -> str:
        _anchors_of(value)
        return value

    @property
    def fees(self) -> Fees:
        return Fees(self.maker_fee, self.taker_fee)

    @property
    def plan(self) -> FaultPlan:
        """PAPER_FAULTS, read."""
        return parse_faults(self.faults)

    @property
    def latency(self) -> tuple[int, int]:
        """The least and the most milliseconds."""
        return _range_of(self.latency_ms)

    @property
    def source(self) -> Seeded | None:
        """The market that moves by itself; None where prices are posted."""
        if self.prices == "posted":
            return None
        return Seeded(self.seed, self.tick_ms, _anchors_of(self.anchors))


def _range_of(text: str) -> tuple[int, int]:
    least, _, most = text.partition(":")
    most = most or least
    if not all(part.isascii() and part.isdigit() for part in (least, most)):
        raise ValueError("is milliseconds, such as 50, or from one to another, such as 20:80")
    if not int(least) <= int(most) <= 60_000:
        raise ValueError("goes from the lower number to the higher one, at most 60000")
    return int(least), int(most)


def _anchors_of(text: str) -> dict[str, Decimal]:
    anchors = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        symbol, _, price = part.partition("=")
        try:
            anchors[symbol] = Decimal(price)
        except InvalidOperation:
            anchors[symbol] = Decimal("NaN")
        if not (symbol and anchors[symbol].is_finite() and anchors[symbol] > 0):
            raise ValueError("is symbols and prices, such as BTC-USDT=50000,ETH-USDT=2500")
    return anchors
