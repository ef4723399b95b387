"""Settings of the backtests that are asked for over HTTP."""

from pydantic import Field

from ..core.config import Settings
from ..core.config.groups import Group


class BacktestLimits(Group):
    workers: int = Field(
        1, ge=0, le=64, description="Backtests that run at once in this process; 0 refuses them"
    )
    timeout: float = Field(
        300, gt=0, le=86_400, description="Seconds after which a backtest is ended"
    )
    memory: int = Field(
        2048, ge=256, le=1_048_576, description="MiB that a backtest may use at most"
    )
    keep: int = Field(
        20, ge=1, le=1_000, description="Backtests that are kept, until the process ends"
    )


class BacktestSettings(Settings):
    """The settings of backtests, as a group of the service's."""

    backtest: BacktestLimits = BacktestLimits()
