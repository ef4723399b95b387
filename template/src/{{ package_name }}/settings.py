"""This service's settings: those every service has, those of its parts, and its own."""

from typing import ClassVar

from pydantic import Field

from . import project
from .backtests.settings import BacktestSettings
from .core.config import get_settings as get_core_settings
from .core.config import settings_of_service
from .core.config.addresses import Port
from .core.config.groups import HttpSettings as CoreHttpSettings
from .exchanges.settings import ExchangeSettings
from .notifications import NotificationSettings
from .strategies.runner.settings import StrategySettings
from .trading.settings import TradingSettings

# isort: split
# yours below


class HttpSettings(CoreHttpSettings):
    port: Port = Field(project.HTTP_PORT, description="Port to listen on")


@settings_of_service
class Settings(StrategySettings, TradingSettings, ExchangeSettings, NotificationSettings):
    """The settings of this service.

    A field `desk: str` reads DESK; a group `desk: DeskSettings = DeskSettings()` reads DESK_NAME.
    """

    slug: ClassVar[str] = project.SLUG
    http: HttpSettings = HttpSettings()
    backtest: BacktestSettings = BacktestSettings()
    # yours below


def get_settings() -> Settings:
    """Return the settings of this process, read at the first call. Raises ValidationError."""
    settings = get_core_settings()
    assert isinstance(settings, Settings)
    return settings
