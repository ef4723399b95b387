"""Weak spots that production allows: said at the start, and by check-config."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .settings import Settings


def weaknesses(settings: Settings) -> list[str]:
    """Return a sentence for each weak spot of a service that is not in development."""
    if settings.environment == "development":
        return []
    url, redis = settings.sqlalchemy_url, settings.redis_options
    database = str(url.host or url.query.get("host") or "localhost")
    notes = []
    if url.query.get("ssl") == "disable" and not is_on_this_machine(database):
        notes.append(
            "Anybody in between reads what PostgreSQL is sent: sslmode=disable, to another host. "
            "Say sslmode=verify-full"
        )
    if not redis.get("password") and not is_on_this_machine(str(redis.get("host", "/"))):
        notes.append("Redis is on another host, and takes anybody: REDIS_PASSWORD is not set")
    if "*" in settings.http.cors_origins:
        notes.append("Every web page may call the API: HTTP_CORS_ORIGINS is *")
    return notes


def is_on_this_machine(host: str) -> bool:
    """Tell whether it is the machine itself, or the folder of a socket."""
    if host.startswith("/") or host.lower() in ("localhost", "localhost."):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
