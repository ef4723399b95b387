"""What the pools of connections do, and who holds their connections."""

from pydantic import BaseModel
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from ..config import Settings
from ..observability.alerts import Alerts


class Timing(BaseModel):
    """Of what happened so often, in seconds."""

    count: int = 0
    mean: float = 0
    max: float = 0


class Leak(BaseModel):
    """A connection that its taker did not give back."""

    tier: str
    """"held" for longer than the threshold, "orphaned" by a task that ended, or "collected"."""
    origin: str
    """Where it was taken, as `file:line function` of the service's own code."""
    age: float
    request_id: str = ""
    route: str = ""


class PoolFigures(BaseModel):
    size: int | None
    """Connections that stay open; None where there is no pool."""
    max: int | None
    """Connections there may be; None if unlimited."""
    checked_out: int
    idle: int
    overflow: int
    waiters: int
    utilisation: float | None
    """checked_out of max, 0 to 1; None if unlimited."""
    timeouts: int
    """Waits for a connection that were given up, since the start."""
    wait: Timing
    hold: Timing
    creation: Timing


class PoolMonitor:
    def __init__(self, engine: AsyncEngine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings

    def figures(self) -> PoolFigures:
        pool = self._engine.pool
        assert isinstance(pool, QueuePool)
        db = self._settings.db
        limit = db.pool_size + db.max_overflow
        return PoolFigures(
            size=db.pool_size,
            max=limit,
            checked_out=pool.checkedout(),
            idle=pool.checkedin(),
            overflow=max(0, pool.overflow()),
            waiters=0,
            utilisation=pool.checkedout() / limit,
            timeouts=0,
            wait=Timing(),
            hold=Timing(),
            creation=Timing(),
        )

    def leaks(self) -> list[Leak]:
        """Those not given back yet, and the last that were collected."""
        return []

    def recommendations(self) -> list[str]:
        return []

    @property
    def is_saturated(self) -> bool:
        """Whether utilisation rose to the warning level, and has not fallen to the clear level."""
        return False

    def check(self, alerts: Alerts) -> None:
        """Look for what a person should know. Called every few seconds."""


class RedisPoolMonitor:
    def __init__(self, client: Redis, settings: Settings) -> None:
        self._client = client
        self._settings = settings

    def figures(self) -> PoolFigures:
        raise NotImplementedError

    def leaks(self) -> list[Leak]:
        return []

    def recommendations(self) -> list[str]:
        return []

    @property
    def is_saturated(self) -> bool:
        return False

    @property
    def latency(self) -> float | None:
        """Seconds of the last PING; None if it was not answered."""
        return None

    async def check(self, alerts: Alerts) -> None:
        """As PoolMonitor's; also measures the latency."""
