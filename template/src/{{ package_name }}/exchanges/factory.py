"""The exchange that the settings name."""

from collections.abc import Callable

from ..core.config import Settings
from ..core.database.session import Database
from .client import ExchangeClient
from .paper.client import PaperExchange
from .settings import ExchangeSettings


def open_exchange(
    settings: Settings, database: Database, on_change: Callable[[], None]
) -> ExchangeClient:
    """Return the client of the exchange; `on_change` is called when it may have new fills."""
    assert isinstance(settings, ExchangeSettings)
    return PaperExchange(database, settings, on_change=on_change)
