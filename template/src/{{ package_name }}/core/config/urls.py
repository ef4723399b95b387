"""Addresses of servers."""

from urllib.parse import urlsplit

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError


def database_url(text: str) -> URL:
    """A PostgreSQL URL of any common spelling, for SQLAlchemy with asyncpg. Raises ValueError."""
    if text.startswith("postgres://"):  # a spelling SQLAlchemy does not know
        text = "postgresql" + text.removeprefix("postgres")
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("must be a URL such as postgresql://user@host:5432/name") from None
    if url.get_backend_name() != "postgresql":
        raise ValueError("must start with postgresql://")
    query = dict(url.query)
    if "sslmode" in query:  # libpq's name for what asyncpg calls ssl
        query["ssl"] = query.pop("sslmode")
    return url.set(drivername="postgresql+asyncpg", query=query)


def redis_url(text: str) -> str:
    """The URL as it is. Raises ValueError if it is not one of Redis."""
    try:
        parts = urlsplit(text)
        is_one = parts.scheme in {"redis", "rediss", "unix"} and (parts.port or True)
    except ValueError:
        is_one = False
    if not is_one:
        raise ValueError("must be a URL such as redis://host:6379/0, rediss://... or unix://...")
    return text
