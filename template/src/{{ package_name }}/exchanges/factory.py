"""The exchange that the settings name."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from ..core.config import Settings
from ..core.database.session import Database
from .client import ExchangeClient
from .paper.client import PaperExchange
from .settings import ExchangeSettings


@dataclass(frozen=True, slots=True)
class Exchange:
    """An exchange, and what has to be done for it again and again, each so many seconds."""

    client: ExchangeClient
    periodic: list[tuple[float, Callable[[], Awaitable[None]]]] = field(default_factory=list)
    look_seconds: float = 0.25
    """Seconds after which an account with open orders is looked at, though nothing was told."""
    tells_at_once: bool = False
    """`on_change` is told of what fills an order before `place` returns, so that nobody asks."""
    candle_seconds: float = 1.0
    """Seconds after its end at which a candle is asked for first: many an exchange lags."""


def open_exchange(
    settings: Settings,
    database: Database,
    on_change: Callable[[frozenset[UUID]], None] = lambda _accounts: None,
) -> Exchange:
    """Return the exchange; `on_change` is told of accounts that may have new fills."""
    assert isinstance(settings, ExchangeSettings)
    paper = PaperExchange(database, settings, on_change=on_change)
    # Whichever replica fills an order tells itself of it: others need not ask often.
    advance: tuple[float, Callable[[], Awaitable[None]]]
    advance = settings.paper.tick_ms / 1000, paper.advance
    return Exchange(paper, [advance], look_seconds=2.0, tells_at_once=True, candle_seconds=0.1)
