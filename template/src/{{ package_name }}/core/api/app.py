"""The FastAPI application class of every service."""

from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from ..config import Settings
from ..errors.handlers import Problem, install_error_handlers
from ..errors.middleware import RequestIDMiddleware
from ..observability.access_log import AccessLogMiddleware
from ..observability.metrics import MetricsMiddleware
from .body_limit import BodyLimitMiddleware
from .routing import ReplayedRoute


class ServiceAPI(FastAPI):
    """FastAPI with ids, logs, metrics and problems around everything it answers."""

    def __init__(self, settings: Settings, **options: Any) -> None:
        super().__init__(
            redirect_slashes=False,
            responses={"default": {"model": Problem, "description": "Any error"}},
            **options,
        )
        self.router.route_class = ReplayedRoute
        self.state.settings = settings
        self.add_middleware(BodyLimitMiddleware, max_body_size=settings.http.max_body_size)
        install_error_handlers(self)

    def build_middleware_stack(self) -> ASGIApp:
        # What `add_middleware` adds stands inside Starlette's own error handling, which would
        # then answer a 500 without an id; these have to stand outside of it.
        app = MetricsMiddleware(super().build_middleware_stack())
        return RequestIDMiddleware(AccessLogMiddleware(app))
