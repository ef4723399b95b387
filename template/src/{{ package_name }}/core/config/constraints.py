"""Settings that do not fit each other, though each of them is valid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from .faults import Faults
from .urls import database_url, redis_options, stated_in_database_url, stated_in_redis_url

if TYPE_CHECKING:
    from .settings import Settings


def is_on(value: Any) -> bool:
    """Tell whether a switch is on, before it is validated. What is no switch counts as on."""
    try:
        return TypeAdapter(bool).validate_python(value)
    except ValidationError:
        return True


def address_constraints(settings: Settings) -> Faults:
    """Return the parts of an address that are given twice and differ."""
    faults: Faults = {}
    if settings.database_url:
        address = database_url(settings.database_url.get_secret_value())
        faults |= _differing("DATABASE_URL", "DB", settings.db, stated_in_database_url(address))
        is_one = str(address.query.get("host", "/")).startswith("/")  # else ?host=a:5432&host=b
        if settings.db.direct_port and not settings.db.direct_host and not is_one:
            faults["DB_DIRECT_PORT"] = "needs DB_DIRECT_HOST where DATABASE_URL has ?host="
    if settings.redis.url:
        stated = stated_in_redis_url(redis_options(settings.redis.url.get_secret_value()))
        faults |= _differing("REDIS_URL", "REDIS", settings.redis, stated)
    return faults


def _differing(url: str, prefix: str, group: BaseModel, stated: dict[str, Any]) -> Faults:
    faults: Faults = {}
    for field in sorted(group.model_fields_set & stated.keys()):
        part = getattr(group, field)
        part = part.get_secret_value() if isinstance(part, SecretStr) else part
        if part is not None and part != stated[field]:
            faults[f"{prefix}_{field.upper()}"] = f"contradicts {url}; set one of the two"
    return faults


# Connections of a `migrate`, which runs while the replicas do.
_MIGRATIONS = 2


def connections_at_most(settings: Settings) -> int:
    """Return how many connections to PostgreSQL all copies of the service may have at once."""
    db, http = settings.db, settings.http
    # One more for the health checks, which do not wait for the pool.
    of_a_process = db.pool_size + db.max_overflow + 1
    return (http.replicas + http.surge) * http.workers * of_a_process + _MIGRATIONS


def budget_notes(settings: Settings) -> list[str]:
    """Return how many connections PostgreSQL has to have, where nothing watches over it."""
    if settings.environment != "production" or settings.db.connection_budget is not None:
        return []
    return [
        f"The service may open {connections_at_most(settings)} connections to PostgreSQL at once:"
        " set HTTP_REPLICAS, HTTP_SURGE and DB_CONNECTION_BUDGET to have a start refused that"
        " needs more than there are"
    ]


def pool_constraints(settings: Settings) -> Faults:
    """Return the settings of pools that do not fit each other."""
    db = settings.db
    faults: Faults = {}
    if db.connect_timeout > db.pool_timeout:
        faults["DB_CONNECT_TIMEOUT"] = "must not exceed DB_POOL_TIMEOUT, which would end it earlier"
    if db.warm_up is not None and db.warm_up > db.pool_size:
        faults["DB_WARM_UP"] = "must not exceed DB_POOL_SIZE: further ones would be closed again"
    for prefix, group in (("DB", db), ("REDIS", settings.redis)):
        if group.pool_clear_at >= group.pool_warn_at:
            faults[f"{prefix}_POOL_CLEAR_AT"] = (
                f"must be less than {prefix}_POOL_WARN_AT, or the alert would come and go"
            )
    needed = connections_at_most(settings)
    if db.connection_budget is not None and needed > db.connection_budget:
        faults["DB_CONNECTION_BUDGET"] = (
            "(HTTP_REPLICAS + HTTP_SURGE) x HTTP_WORKERS x (DB_POOL_SIZE + DB_MAX_OVERFLOW + 1)"
            f" + {_MIGRATIONS} is {needed}, which is more; lower one of them"
        )
    return faults


def alert_constraints(settings: Settings) -> Faults:
    """Return what does not fit in how often an alert is sent."""
    alerts = settings.alerts
    if 0 < alerts.repeat < alerts.cooldown:
        return {"ALERTS_REPEAT": "must not be less than ALERTS_COOLDOWN, unless it is 0"}
    return {}
