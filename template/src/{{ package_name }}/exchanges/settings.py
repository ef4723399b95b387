"""Settings of the exchanges, and of trading with real money."""

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from ..core.config import Settings
from ..core.config.faults import Faults
from .paper.schema import schema_of
from .paper.settings import PaperSettings

PAPER = "paper"


class ExchangeSettings(Settings):
    """Settings of trading. An adapter adds its name to `adapters`, and its group as a field."""

    adapters: ClassVar[frozenset[str]] = frozenset({PAPER})
    """The exchanges that this service can send orders to."""

    exchange: str = Field(PAPER, description="Where orders are sent; paper is a simulation")
    trading_mode: Literal["paper", "live"] = Field(
        "paper", description="live trades real money, and needs EXCHANGE to be a real one too"
    )
    paper: PaperSettings = PaperSettings()

    @field_validator("exchange")
    @classmethod
    def _has_an_adapter(cls, value: str) -> str:
        if value not in cls.adapters:
            known = ", ".join(sorted(cls.adapters))
            raise ValueError(f"this service has no adapter for it; it has: {known}")
        return value

    @classmethod
    def why_real(cls, values: dict[str, Any]) -> str:
        is_live = values.get("trading_mode") == "live"
        return "TRADING_MODE=live" if is_live else super().why_real(values)

    def contradictions(self) -> Faults:
        faults = super().contradictions() | self._contradictions_of_live_trading()
        faults |= self.paper.contradictions()
        if len(schema_of(self)) > 63:
            faults["DB_SCHEMA"] = (
                "must be 57 characters at most: the paper venue's schema has _paper behind it"
            )
        return faults

    def _contradictions_of_live_trading(self) -> Faults:
        """Real money needs two switches, and nothing that belongs to development."""
        faults: Faults = {}
        if self.trading_mode != "live":
            return faults
        if self.exchange == PAPER:
            faults["EXCHANGE"] = "TRADING_MODE=live needs a real exchange, and this is paper"
        if self.debug:
            faults["DEBUG"] = "must be off with TRADING_MODE=live"
        if "*" in self.http.cors_origins:
            faults["HTTP_CORS_ORIGINS"] = "must name its origins with TRADING_MODE=live, not *"
        return faults
