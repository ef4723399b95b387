"""The people who may see more than healthy or not: figures, versions, reasons."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from enum import Enum, auto

import structlog
from fastapi import Request
from sqlalchemy.exc import SQLAlchemyError

from ..config import Settings
from ..errors import ErrorCode, TradingException

_log = structlog.get_logger(__name__)

IsAdmin = Callable[[Request, str], Awaitable[bool | None]]
"""Tells whether an API key, given as text, has the scope `admin`; None if there is no such key.

May take long, and may raise.
"""

_REMEMBERED = 64
_REMEMBERED_SECONDS = 900.0


class Access:
    """Decides who sees details: everybody in development, elsewhere who sends a key of an admin.

    The key is looked up in the database, for 70 % of `HEALTH_TIMEOUT` at most. An admin wants to
    see details above all while the database does not answer: keys of the last 15 minutes do then.
    """

    def __init__(self, settings: Settings, is_admin: IsAdmin | None = None) -> None:
        self._is_open = settings.environment == "development"
        self._timeout = settings.health.server_timeout
        self._is_admin = is_admin
        self._known: OrderedDict[bytes, float] = OrderedDict()  # hash -> until when

    async def sees_details(self, request: Request) -> bool:
        """Tell whether the caller may see details. Takes no longer than HEALTH_TIMEOUT."""
        return await self.standing_of(request) is Standing.ADMIN

    async def standing_of(self, request: Request) -> "Standing":
        """Tell who asks, as far as details go. Takes no longer than HEALTH_TIMEOUT."""
        if self._is_open:
            return Standing.ADMIN
        key = key_of(request)
        if not key or self._is_admin is None:
            return Standing.UNKNOWN
        digest = hashlib.sha256(key.encode()).digest()
        standing = await self._look_up(request, key)
        if standing is Standing.NOT_FOUND_OUT:
            is_known = self._known.get(digest, 0) > time.monotonic()
            return Standing.ADMIN if is_known else standing
        self._known.pop(digest, None)
        if standing is Standing.ADMIN:
            self._known[digest] = time.monotonic() + _REMEMBERED_SECONDS
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return standing

    async def _look_up(self, request: Request, key: str) -> "Standing":
        """Ask whether the key is an admin's."""
        assert self._is_admin is not None
        if request.app.resources.health.is_down("database"):  # as it was just found to be
            return Standing.NOT_FOUND_OUT
        task = asyncio.ensure_future(self._is_admin(request, key))
        try:
            # Not `wait_for`: a connection to a frozen server takes long to be given up.
            done, _ = await asyncio.wait({task}, timeout=self._timeout)
        finally:
            task.cancel()
        if not done:
            task.add_done_callback(_log_failure)
            return Standing.NOT_FOUND_OUT
        try:
            return _STANDINGS[task.result()]
        except (SQLAlchemyError, OSError, TimeoutError):
            return Standing.NOT_FOUND_OUT


class Standing(Enum):
    """Standing of who asks for details: an admin, another key, nobody known, or not found out."""

    ADMIN = auto()
    OTHER = auto()
    UNKNOWN = auto()
    NOT_FOUND_OUT = auto()


_STANDINGS = {True: Standing.ADMIN, False: Standing.OTHER, None: Standing.UNKNOWN}


def _log_failure(task: "asyncio.Future[bool | None]") -> None:
    if not task.cancelled() and (error := task.exception()):
        _log.info("access not looked up", error=type(error).__name__)


def key_of(request: Request) -> str:
    """Return what the request has sent as a bearer token; "" if it has sent none."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


async def sees_details(request: Request) -> bool:
    """Tell whether the caller may see details, as a FastAPI dependency."""
    access: Access = request.app.access
    return bool(await access.sees_details(request))


async def require_details(request: Request) -> None:
    """Raise TradingException for whoever may not see details.

    UNAUTHENTICATED without a key that is known, FORBIDDEN with one that is no admin's,
    SERVICE_UNAVAILABLE where the database does not tell which.
    """
    access: Access = request.app.access
    standing = await access.standing_of(request)
    if standing is Standing.OTHER:
        raise TradingException(
            ErrorCode.FORBIDDEN,
            "This API key lacks the scope admin",
            {"missing_scopes": ["admin"]},
        )
    if standing is Standing.NOT_FOUND_OUT:
        raise TradingException(
            ErrorCode.SERVICE_UNAVAILABLE,
            "The API key can't be looked up now; try again",
            headers={"Retry-After": "1"},
        )
    if standing is Standing.UNKNOWN:
        raise TradingException(
            ErrorCode.UNAUTHENTICATED,
            "Send the API key of an admin in the header Authorization, as `Bearer <key>`",
            headers={"WWW-Authenticate": "Bearer"},
        )
