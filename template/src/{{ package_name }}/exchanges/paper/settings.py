"""Settings of the paper venue."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, field_validator

from ...core.config.faults import Faults
from ...core.config.groups import Group
from ...market.candles import Timeframe
from .fault_plan import FaultPlan, parse_faults
from .matching import Fees
from .replay import Plan
from .sources import Seeded

Rate = Annotated[Decimal, Field(ge=0, lt=Decimal("0.1"), max_digits=7, decimal_places=6)]


class PaperSettings(Group):
    prices: Literal["seeded", "posted", "replay"] = Field(
        "seeded",
        description="Where prices come from: seeded computes a market that moves from PAPER_SEED;"
        " with posted they are the ones that an administrator posts, and time stands still between;"
        " with replay they are those of stored candles",
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
    replay_timeframe: Timeframe = Field(
        Timeframe.M1, description="Candles that are replayed with PAPER_PRICES=replay"
    )
    replay_from: AwareDatetime | None = Field(
        None, description="Time of the first candle that is replayed, such as 2026-01-01T00:00Z"
    )
    replay_begin: AwareDatetime | None = Field(
        None,
        description="Time at which that candle happens again, after the last candle of the replay;"
        " the same for all replicas",
    )
    replay_speed: int = Field(
        1,
        ge=1,
        le=100_000,
        description="Seconds of the replay in a second. Above 1 there are no candles of it, so that"
        " no strategy runs on it",
    )
    maker_fee: Rate = Field(
        Decimal("0.0008"), description="Share that the venue keeps of what a waiting order gets"
    )
    taker_fee: Rate = Field(
        Decimal("0.001"), description="Share that it keeps of what an order gets at once"
    )

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
        """The market that is computed; None where prices are posted or replayed."""
        if self.prices != "seeded":
            return None
        return Seeded(self.seed, self.tick_ms, _anchors_of(self.anchors))

    @property
    def replay(self) -> Plan | None:
        """The replay; None where there is none."""
        if self.prices != "replay" or self.replay_from is None or self.replay_begin is None:
            return None
        return Plan(self.replay_timeframe, self.replay_from, self.replay_begin, self.replay_speed)

    def contradictions(self) -> Faults:
        """Return what a replay lacks."""
        if self.prices != "replay":
            return {}
        needed = {"FROM": self.replay_from, "BEGIN": self.replay_begin}
        faults = {
            f"PAPER_REPLAY_{name}": "is needed with PAPER_PRICES=replay"
            for name, value in needed.items()
            if value is None
        }
        if self.replay_from and self.replay_begin and self.replay_begin <= self.replay_from:
            faults["PAPER_REPLAY_BEGIN"] = "must be after PAPER_REPLAY_FROM"
        if self.replay_from and self.replay_timeframe.begin(self.replay_from) != self.replay_from:
            faults["PAPER_REPLAY_FROM"] = f"is not where a candle of {self.replay_timeframe} begins"
        return faults


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
