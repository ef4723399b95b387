"""The FastAPI application class of every service."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from threading import Lock
from typing import Any

import structlog
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from ..alerts.channels import Channel
from ..config import Settings
from ..errors.middleware import HEADER, RequestIDMiddleware
from ..observability.logging import configure_logging
from ..observability.metrics import note_build
from ..observability.telemetry import telemetry_config
from ..process.garbage import end_without_collecting
from ..process.lifecycle import Lifecycle, LifecycleMiddleware
from .access import Access, IsAdmin
from .admission import Admission
from .examples import with_examples
from .exits import ExitsMiddleware
from .health import router as health_router
from .metrics import router as metrics_router
from .openapi import HEALTH_TAG, operation_id, with_problems
from .pages import docs_router, front_router
from .problems import Problem, install_error_handlers
from .refusals import answer_refusal
from .request_limits import RequestLimitsMiddleware
from .request_middleware import DEADLINE, RequestMiddleware
from .resources import Opener, PeriodicWork, Resources, ServiceParts, open_resources
from .routing import ServiceRoute, ask_last
from .status import router as status_router

_log = structlog.get_logger(__name__)


class ServiceAPI(FastAPI):
    """FastAPI with ids, logs, metrics, health and problems around everything it answers.

    `name` is for people, `slug` the name of the distribution, `channels` makes what alerts are
    sent to. `public_context` names the values of `error_context` that a client may see in an
    error. `is_admin` tells whether an API key may see details of the service's health. `tags` are
    the groups of routes in the documentation, in their order.
    """

    resources: Resources
    """The things that the application holds while it runs; there are none before it is started."""

    def __init__(
        self,
        settings: Settings,
        *,
        name: str = "Service",
        slug: str = "",
        channels: Callable[[], Sequence[Channel]] = tuple,
        public_context: Iterable[str] = (),
        is_admin: IsAdmin | None = None,
        tags: Sequence[dict[str, Any]] = (),
        **options: Any,
    ) -> None:
        end_without_collecting()
        configure_logging(settings)
        options.setdefault("telemetry", telemetry_config())
        options.setdefault("version", version(slug) if slug else "0")
        super().__init__(
            title=name,
            redirect_slashes=False,
            openapi_url=None,  # FastAPI's own makes the document while everything else waits
            openapi_tags=[*tags, HEALTH_TAG],
            generate_unique_id_function=operation_id,
            responses={"default": {"model": Problem, "description": "Any error"}},
            lifespan=_lifespan,
            **options,
        )
        self.router.route_class = ServiceRoute
        # And not as an argument, which FastAPI wants to be the server's: any server will do.
        self.root_path = settings.http.root_path
        self.settings = settings
        self.public_context = frozenset(public_context)
        self.lifecycle = Lifecycle(settings)
        self.access = Access(settings, is_admin)
        self.admission = Admission(settings)
        self.parts = ServiceParts(name, slug, self.version, channels)
        self.add_middleware(RequestLimitsMiddleware, http=settings.http)
        install_error_handlers(self)
        for router in (health_router, status_router, metrics_router):
            self.include_router(router)
        if settings.shows_docs:
            self.include_router(docs_router)
        self._making_document = Lock()
        self._own_routes = list(self.router.routes)
        self.add_periodic_work(settings.monitor.interval, self._check_admission)
        for note in settings.notes:
            _log.warning(note)
        note_build(self.version, settings.environment)

    def add_resource(self, opener: Opener[Any]) -> None:
        """Open a resource of the service's own while the application runs; see `resource`."""
        self.parts.openers.append(opener)

    def add_periodic_work(self, seconds: float, work: PeriodicWork) -> None:
        """Do `work` again and again while the application runs, `seconds` after it has ended.

        Each process does it; an error of it is logged and does not end the repetition.
        """
        self.parts.periodic.append((seconds, work))

    async def _check_admission(self, resources: Resources) -> None:
        self.admission.check(resources.alerts)

    def build_middleware_stack(self) -> ASGIApp:
        """Build the middleware, outermost first: lifecycle, request id, admission and so on.

        What `add_middleware` adds stands inside Starlette's own error handling, which would then
        answer a 500 without an id and CORS headers; these have to stand outside of it.

        Raises ValueError if a route of the service stands in the way of one of core's.
        """
        ask_last(self.router.routes, self._own_routes)
        self.include_router(front_router)  # the last, so that a service may have its own
        self.add_middleware(ExitsMiddleware)  # likewise, around what the service has added
        app = self._with_cors(super().build_middleware_stack())
        refusing = self._with_cors(answer_refusal)
        served = RequestMiddleware(app, refusing, self.admission)
        return LifecycleMiddleware(RequestIDMiddleware(served), self.lifecycle)

    def _with_cors(self, app: ASGIApp) -> ASGIApp:
        origins = self.settings.http.cors_origins
        if not origins:
            return app
        return CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=["*"],
            allow_headers=["Authorization", "Content-Type", HEADER, DEADLINE],
            expose_headers=[HEADER, "Retry-After"],
        )

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, which is made anew after a route was added."""
        with self._making_document:
            known = self.openapi_schema
            document = super().openapi()
            return document if document is known else with_examples(with_problems(document))


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    assert isinstance(app, ServiceAPI)
    async with open_resources(app.settings, app.lifecycle, app.parts) as resources:
        app.resources = resources
        app.admission.share(resources.redis, partial(resources.health.is_down, "redis"))
        yield
