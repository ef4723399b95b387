"""The people who may see more than healthy or not: figures, versions, reasons."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import structlog
from fastapi import Request
from sqlalchemy.exc import SQLAlchemyError

from ..config import Settings
from ..errors import ErrorCode, TradingException

_log = structlog.get_logger(__name__)

IsAdmin = Callable[[Request, str], Awaitable[bool]]
"""Tells whether an API key, given as text, has the scope `admin`. May take long, and may raise."""

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

    async def sees_details(self, request: Request) -> bool | None:
        """Tell whether the caller may see details; None where its key can't be looked up now.

        Takes no longer than HEALTH_TIMEOUT.
        """
        if self._is_open:
            return True
        key = key_of(request)
        if not key or self._is_admin is None:
            return False
        digest = hashlib.sha256(key.encode()).digest()
        answer = await self._look_up(request, key)
        if answer is None:
            return self._known.get(digest, 0) > time.monotonic() or None
        self._known.pop(digest, None)
        if answer:
            self._known[digest] = time.monotonic() + _REMEMBERED_SECONDS
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return answer

    async def _look_up(self, request: Request, key: str) -> bool | None:
        """Ask whether the key is an admin's; None where the database does not say."""
        assert self._is_admin is not None
        if request.app.resources.health.is_down("database"):  # as it was just found to be
            return None
        task = asyncio.ensure_future(self._is_admin(request, key))
        try:
            # Not `wait_for`: a connection to a frozen server takes long to be given up.
            done, _ = await asyncio.wait({task}, timeout=self._timeout)
        finally:
            task.cancel()
        if not done:
            task.add_done_callback(_log_failure)
            return None
        try:
            return task.result()
        except (SQLAlchemyError, OSError, TimeoutError):
            return None


def _log_failure(task: "asyncio.Future[bool]") -> None:
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
    """Raise TradingException UNAUTHENTICATED for whoever may not see details.

    SERVICE_UNAVAILABLE where nobody knows: a client would throw a key away that is valid.
    """
    access: Access = request.app.access
    may_see = await access.sees_details(request)
    if may_see is None:
        raise TradingException(
            ErrorCode.SERVICE_UNAVAILABLE,
            "The API key can't be looked up now; try again",
            headers={"Retry-After": "1"},
        )
    if not may_see:
        raise TradingException(
            ErrorCode.UNAUTHENTICATED,
            "Send the API key of an admin in the header Authorization, as `Bearer <key>`",
            headers={"WWW-Authenticate": "Bearer"},
        )
