"""The service, put together. Importing this reads no setting and opens no connection."""

import sys
from functools import partial
from typing import TYPE_CHECKING

from pydantic import ValidationError

from . import project
from .api.router import TAGS
from .api.router import router as api_router
from .api.security import is_admin
from .backtests.jobs import open_backtests
from .core.api.application import ServiceAPI
from .core.config.report import complain
from .notifications import channels
from .settings import Settings, get_settings
from .strategies.runner.service import open_strategies
from .trading.service import open_trading

# isort: split
# yours below


def create_app(settings: Settings | None = None) -> ServiceAPI:
    """Create the application. Raises ValidationError if `settings` is None and can't be read.

    A service adds what is its own with `include_router(router)`, `add_resource(open_feed)` for
    what is open while the application runs, and `add_periodic_work(seconds, work)`.
    """
    settings = settings or get_settings()
    app = ServiceAPI(
        settings,
        name=project.NAME,
        slug=project.SLUG,
        description=project.DESCRIPTION,
        channels=partial(channels, settings),
        is_admin=is_admin,
        tags=TAGS,
    )
    app.include_router(api_router)
    app.add_resource(open_trading)
    app.add_resource(open_strategies)
    app.add_resource(open_backtests)
    # yours below
    return app


if TYPE_CHECKING:
    app: ServiceAPI


def __getattr__(name: str) -> ServiceAPI:
    """Create `app` when it is first asked for, as uvicorn does with `main:app`."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        app = globals()["app"] = create_app()
    except ValidationError as error:
        sys.exit(complain(error))
    return app
