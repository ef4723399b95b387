"""Settings of the domain."""

from typing import Annotated

from pydantic import Field, StringConstraints

from ..core.config import Settings
from .candles.settings import CandleSettings
from .risk.settings import RiskSettings


class TradingSettings(Settings):
    cell: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,8}$")] = Field(
        "a",
        description="Name of this database, where each of several has a part of the accounts; new "
        "API keys begin with sk_<cell>_",
    )
    key_cache_seconds: float = Field(
        2,
        ge=0,
        le=60,
        description="Seconds for which a process accepts an API key without asking the database"
        " again; one that is revoked works no longer than that",
    )
    risk: RiskSettings = RiskSettings()
    candles: CandleSettings = CandleSettings()
    reconcile_interval: float = Field(
        60,
        gt=0,
        le=86400,
        description="Seconds between two comparisons of the books with the exchange",
    )
