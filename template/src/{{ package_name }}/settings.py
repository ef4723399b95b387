"""This service's settings: those every service has, and its own."""

from pydantic import Field

from . import project
from .core.config import Settings as CoreSettings
from .core.config import settings_of_service
from .core.config.settings import HttpSettings as CoreHttpSettings
from .core.config.settings import Port


class HttpSettings(CoreHttpSettings):
    port: Port = Field(project.HTTP_PORT, description="Port to listen on")


@settings_of_service
class Settings(CoreSettings):
    """Add a field and its environment name is the field's name in capitals."""

    http: HttpSettings = HttpSettings()
    # yours below
