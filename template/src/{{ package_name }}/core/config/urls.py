"""Addresses of servers.

SQLAlchemy and redis-py are imported where a URL is read: most of what reads the settings has none,
and they take longer than all else that is imported for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from .addresses import host_alone, printable

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_SSL_MODES = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
_SESSIONS = {"any", "primary", "standby", "read-write", "read-only", "prefer-standby"}
_PASSED_ON: dict[str, Callable[[str], bool]] = {
    "host": bool,
    "port": bool,
    "ssl": _SSL_MODES.__contains__,
    "target_session_attrs": _SESSIONS.__contains__,
    "prepared_statement_cache_size": str.isdecimal,
}
# libpq's, without which a connection works as well; DB_CONNECT_TIMEOUT is ours.
_DROPPED = {
    *("application_name", "channel_binding", "client_encoding", "connect_timeout"),
    *("fallback_application_name", "gssencmode", "keepalives", "keepalives_count"),
    *("keepalives_idle", "keepalives_interval", "sslcompression", "sslsni", "tcp_user_timeout"),
}
_PARTS = {"user": "username", "password": "password", "dbname": "database"}


def empty_database_url() -> URL:
    """Return a URL for SQLAlchemy with asyncpg that does not state anything else."""
    from sqlalchemy.engine import URL  # noqa: PLC0415

    return URL.create("postgresql+asyncpg")


def database_url(text: str) -> URL:
    """Return a PostgreSQL URL of any common spelling for SQLAlchemy with asyncpg.

    Raises ValueError, which holds no part of the URL.
    """
    from sqlalchemy.engine import make_url  # noqa: PLC0415
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    if text.startswith("postgres://"):  # a spelling SQLAlchemy does not know
        text = "postgresql" + text.removeprefix("postgres")
    try:
        url = make_url(text)
        is_ours = url.get_backend_name() == "postgresql"
    except (ArgumentError, ValueError):
        raise ValueError("must be a URL such as postgresql://user@host:5432/name") from None
    if not is_ours:
        raise ValueError("must start with postgresql://")
    url = url.set(drivername="postgresql+asyncpg")
    query = {key: value for key, value in url.query.items() if key not in _DROPPED}
    if "sslmode" in query:  # libpq's name for what asyncpg calls ssl
        query["ssl"] = query.pop("sslmode")
    parts: dict[str, Any] = {
        part: query.pop(key)
        for key, part in _PARTS.items()
        if key in query and not getattr(url, part)
    }
    url = _with_sound_host(url.set(query=query, **parts))
    _check_query(url)
    return url


def _with_sound_host(url: URL) -> URL:
    """Return the URL with a socket's folder, which libpq takes as host, where asyncpg takes it."""
    host = unquote(url.host or "")
    if not host:
        return url
    if host.startswith("/"):
        address = {"host": printable(host)} | ({"port": str(url.port)} if url.port else {})
        return url._replace(host=None, port=None).update_query_dict(address)
    try:
        return url.set(host=host_alone(host))
    except ValueError:
        raise ValueError(
            "has no host that can be used; in a user or password, write @ as %40, / as %2F, : as "
            "%3A and ? as %3F. Several hosts are ?host=a:5432&host=b:5432"
        ) from None


def _check_query(url: URL) -> None:
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    known = ", ".join(["sslmode", *_PASSED_ON])
    for key, value in url.query.items():
        if key not in _PASSED_ON:
            # It is not named: it is part of the password, where that has a ? that is not encoded.
            raise ValueError(f"has a parameter after ? that can't be used here; these can: {known}")
        if isinstance(value, str) and not _PASSED_ON[key](value):
            raise ValueError(f"has a value of {key} that is none of it")
    try:
        url.get_dialect()().create_connect_args(url)
    except (ArgumentError, ValueError, TypeError):
        raise ValueError("has hosts and ports that do not fit each other") from None


def stated_in_database_url(url: URL) -> dict[str, Any]:
    """Return the settings of DB_* that the URL states."""
    port = url.port or url.query.get("port")
    stated = {
        "host": url.host or url.query.get("host"),
        "port": int(port) if isinstance(port, str) and port.isdecimal() else port,
        "user": url.username,
        "password": url.password,
        "name": url.database,
        "target_session_attrs": url.query.get("target_session_attrs"),
    }
    return {field: value for field, value in stated.items() if value}


def with_parts(url: URL, parts: dict[str, Any]) -> URL:
    """Return the URL, completed by the settings of DB_* that it does not state."""
    stated = stated_in_database_url(url)
    missing = {field: value for field, value in parts.items() if field not in stated}
    names = {"user": "username", "password": "password", "name": "database"}
    url = url.set(**{names[field]: value for field, value in missing.items() if field in names})
    address = {field: value for field, value in missing.items() if field in {"host", "port"}}
    if "host" in url.query or str(address.get("host", "")).startswith("/"):  # a socket's folder
        return url.update_query_dict({field: str(value) for field, value in address.items()})
    return url.set(**address)


def elsewhere(url: URL, host: str | None, port: int | None) -> URL:
    """Return the URL of the same database at another host or port; None leaves what it has."""
    stated = stated_in_database_url(url)
    bare = url._replace(host=None, port=None).difference_update_query(["host", "port"])
    port = port or stated.get("port")
    # Where the URL names several hosts, it may name a port for each.
    address = {"host": host or stated["host"], "port": port if isinstance(port, int) else 5432}
    return with_parts(bare, address)


def redis_options(text: str) -> dict[str, Any]:
    """Return what the URL says, as options of a redis-py connection. Raises ValueError."""
    from redis.asyncio.connection import ConnectionPool, parse_url  # noqa: PLC0415
    from redis.exceptions import RedisError  # noqa: PLC0415

    try:
        options: dict[str, Any] = dict(parse_url(text))
        is_one = "path" in options if text.startswith("unix:") else True
        if "host" in options:
            host_alone(options["host"])
    except ValueError:
        is_one = False
    if not is_one:
        raise ValueError("must be a URL such as redis://host:6379/0, rediss://... or unix://...")
    try:
        pool = ConnectionPool(**options)
        pool.make_connection()  # type: ignore[no-untyped-call]  # which connects to nothing yet
    except (TypeError, ValueError, RedisError):
        raise ValueError("has a parameter after ? that redis-py does not know") from None
    return options


def stated_in_redis_url(options: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of REDIS_* that the options of a URL state."""
    fields = ("host", "port", "db", "password")
    stated: dict[str, Any] = {field: options[field] for field in fields if field in options}
    if "path" in options:
        stated |= {"host": options["path"], "port": 6379}  # a socket has no port
    return stated
