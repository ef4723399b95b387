"""The exchange that the settings name."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

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


def open_exchange(
    settings: Settings, database: Database, on_change: Callable[[], None] = lambda: None
) -> Exchange:
    """Return the exchange; `on_change` is called when it may have new fills."""
    assert isinstance(settings, ExchangeSettings)
    paper = PaperExchange(database, settings, on_change=lambda _accounts: on_change())
    return Exchange(paper, [(settings.paper.tick_ms / 1000, paper.advance)])
