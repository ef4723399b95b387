"""The FastAPI application class of every service."""

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from ..config import Settings
from ..errors.handlers import PROBLEM_JSON, Problem, install_error_handlers
from ..errors.middleware import HEADER, RequestIDMiddleware
from ..lifecycle import Lifecycle, LifecycleMiddleware
from ..observability.requests import RequestLogMiddleware
from ..observability.telemetry import telemetry_config
from .access import Access, IsAdmin
from .body_limit import BodyLimitMiddleware
from .routing import ReplayedRoute


class ServiceAPI(FastAPI):
    """FastAPI with ids, logs, metrics and problems around everything it answers.

    `public_context` names the values of `error_context` that a client may see in an error.
    `is_admin` tells whether an API key may see details of the service's health.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        public_context: Iterable[str] = (),
        is_admin: IsAdmin | None = None,
        **options: Any,
    ) -> None:
        options.setdefault("telemetry", telemetry_config())
        super().__init__(
            redirect_slashes=False,
            responses={"default": {"model": Problem, "description": "Any error"}},
            **options,
        )
        self.router.route_class = ReplayedRoute
        self.state.settings = settings
        self.state.public_context = frozenset(public_context)
        self.state.lifecycle = Lifecycle(settings)
        self.state.access = Access(settings, is_admin)
        self.add_middleware(BodyLimitMiddleware, max_body_size=settings.http.max_body_size)
        install_error_handlers(self)

    def build_middleware_stack(self) -> ASGIApp:
        # What `add_middleware` adds stands inside Starlette's own error handling, which would
        # then answer a 500 without an id and CORS headers; these have to stand outside of it.
        app = super().build_middleware_stack()
        origins = self.state.settings.http.cors_origins
        if origins:
            app = CORSMiddleware(
                app,
                allow_origins=origins,
                allow_methods=["*"],
                allow_headers=["Authorization", "Content-Type", HEADER],
                expose_headers=[HEADER, "Retry-After"],
            )
        app = RequestIDMiddleware(RequestLogMiddleware(app))
        return LifecycleMiddleware(app, self.state.lifecycle)

    def openapi(self) -> dict[str, Any]:
        """FastAPI's document, with errors as what they are: `Problem`, as problem+json."""
        is_new = self.openapi_schema is None
        document = super().openapi()
        if is_new:
            for path in document.get("paths", {}).values():
                for operation in path.values():
                    responses = operation["responses"]
                    responses.pop("422", None)  # FastAPI's own shape, which is never answered
                    content = responses["default"]["content"]
                    content[PROBLEM_JSON] = content.pop("application/json")
            for name in ("HTTPValidationError", "ValidationError"):
                document["components"]["schemas"].pop(name, None)
        return document
