"""Connections to PostgreSQL that can't be opened: one kind of error, and why."""

import os
import socket
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from ..config import Settings
from .tls_files import file_to_blame

_TOO_MANY_CONNECTIONS = "53300"


class DatabaseUnreachableError(ConnectionError):
    """No connection to PostgreSQL could be opened. The text says where it should be, and why not.

    `reason` is the why alone, `sqlstate` PostgreSQL's word for it, where it gave one.
    """

    def __init__(self, address: str, reason: str, sqlstate: str | None = None) -> None:
        super().__init__(f"PostgreSQL can't be reached at {address}: {reason}")
        self.reason = reason
        self.sqlstate = sqlstate


class NoConnectionLeftError(DatabaseUnreachableError):
    """PostgreSQL, the database or the role has as many connections as it may have."""


def raise_unreachable(engine: AsyncEngine, settings: Settings) -> None:
    """Have the engine raise DatabaseUnreachableError where it can't open a connection."""

    @event.listens_for(engine.sync_engine, "do_connect")
    def _connect(dialect: Any, _record: Any, args: Any, options: Any) -> Any:
        try:
            return dialect.connect(*args, **options)
        except Exception as error:  # of any kind: the work has not begun, and may be sent again
            raise _unreachable(error, settings) from error


def address_of(settings: Settings) -> str:
    """Return where PostgreSQL is: host and port, or the folder of its socket."""
    url = settings.sqlalchemy_url
    host, port = url.host or url.query.get("host"), url.port or url.query.get("port", 5432)
    return f"{host}, port {port}"


def _unreachable(error: Exception, settings: Settings) -> DatabaseUnreachableError:
    address = address_of(settings)
    if isinstance(error, OSError):  # a time-out and a missing socket, too
        return DatabaseUnreachableError(address, _why(error, settings))
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        wanted = settings.target_session_attrs
        reason = f"no server there is {wanted}, as DB_TARGET_SESSION_ATTRS asks for"
        return DatabaseUnreachableError(address, reason)
    said = str(error.__cause__ or error).partition("\n")[0]  # the driver's own text is its cause
    sqlstate = getattr(error, "sqlstate", None)
    kind = NoConnectionLeftError if sqlstate == _TOO_MANY_CONNECTIONS else DatabaseUnreachableError
    return kind(address, said or repr(error), sqlstate)


def _why(error: OSError, settings: Settings) -> str:
    if "/" not in address_of(settings) and (
        reason := file_to_blame(error)
    ):  # else it is the socket
        return reason
    if isinstance(error, TimeoutError):
        return f"no answer within {settings.db.connect_timeout:g} seconds"
    if isinstance(error, socket.gaierror) or error.errno is None:
        return error.strerror or str(error) or repr(error)
    return os.strerror(error.errno)  # asyncio's own text repeats the address
