"""Settings of running strategies."""

from pydantic import Field

from ...core.config import Settings
from ...core.config.groups import Group, Seconds


class RunnerSettings(Group):
    lease: Seconds = Field(
        15,
        description="Seconds for which a replica owns a strategy; if it dies, another one goes on"
        " after as many",
    )
    renew: Seconds = Field(5, description="Seconds after which a replica renews what it owns")
    step_timeout: Seconds = Field(
        1, description="Seconds that a strategy may think about one event; then it is paused"
    )
    stop_timeout: Seconds = Field(
        60, description="Seconds that a stop may take to end what the strategy has open"
    )
    kept_notes: int = Field(
        10_000, ge=100, description="Notes that are kept of each strategy, the newest ones"
    )
    kept_equity: int = Field(
        90,
        ge=1,
        description="Days for which a strategy's equity is kept at each close; before, that at full"
        " hours is",
    )


class StrategySettings(Settings):
    """The settings of strategies, as a group of the service's."""

    strategies: RunnerSettings = RunnerSettings()
