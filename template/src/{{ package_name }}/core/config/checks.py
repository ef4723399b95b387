"""What makes a configuration unfit, beyond the type and range of each value."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, SecretStr

from .faults import Faults
from .names import setting_names
from .urls import database_url

if TYPE_CHECKING:
    from .settings import Settings

_PLACEHOLDER = re.compile(
    r"x+|\*+|\.+|<.*>|\{.*\}|none|null|todo|tbd|dummy|example.*|test|placeholder.*|.*[-_ ]here"
    r"|password|passwd|secret|postgres|admin|123.*|qwerty.*|(your|my|some)[-_ ].*"
    r"|(change|replace|insert|enter|put|set|fill)[-_ ]?(me|this|it|in|here|your).*",
    re.IGNORECASE,
)
_MIN_LENGTH = {"OKX_API_KEY": 16, "OKX_SECRET_KEY": 16}
_DEPLOYED = {"staging", "production"}


def missing_credentials(values: dict[str, Any]) -> Faults:
    """Credentials that are missing or not real, where real ones are needed."""
    environment = values.get("environment", "development")
    is_live = values.get("trading_mode") == "live"
    if environment not in _DEPLOYED and not is_live:
        return {}
    needed = ["DB_HOST", "DB_PASSWORD"]
    if values.get("exchange", "paper") == "okx":
        needed += ["OKX_API_KEY", "OKX_SECRET_KEY", "OKX_PASSPHRASE"]
    given = {name: _given(values, name) for name in needed} | _of_database_url(values)
    reason = "TRADING_MODE=live" if is_live else f"ENVIRONMENT={environment}"
    return credential_faults(given, reason)


def credential_faults(given: dict[str, str | None], needed_by: str) -> Faults:
    """What is wrong with these credentials, by name; `needed_by` says why they are needed."""
    reasons = {name: _unreal(name, value) for name, value in given.items()}
    return {
        name: f"{reason}; {needed_by} needs the real one"
        for name, reason in reasons.items()
        if reason
    }


def _given(values: dict[str, Any], name: str) -> str | None:
    group_name, _, field = name.lower().partition("_")
    group = values.get(group_name, {})
    value = getattr(group, field, None) if isinstance(group, BaseModel) else group.get(field)
    if isinstance(group, BaseModel) and field not in group.model_fields_set:
        return None
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _of_database_url(values: dict[str, Any]) -> dict[str, str | None]:
    text = values.get("database_url")
    if not text:
        return {}
    try:
        url = database_url(text.get_secret_value() if isinstance(text, SecretStr) else str(text))
    except ValueError:
        return {}  # which is a fault of its own
    host = url.host or url.query.get("host")
    return {"DB_HOST": str(host) if host else None, "DB_PASSWORD": url.password}


def _unreal(name: str, value: str | None) -> str | None:
    text = str(value).strip() if value is not None else ""
    if not text:
        return "is missing"
    if _PLACEHOLDER.fullmatch(text):
        return "is a placeholder"
    if name == "DB_HOST":
        return None
    least = _MIN_LENGTH.get(name, 8)
    if len(text) < least:
        return f"is too short ({least} characters at least)"
    if len(set(text)) < 4:
        return "is a placeholder"
    return None


def contradictions(settings: Settings) -> Faults:
    """Parts of an address that are given twice and differ."""
    faults: Faults = {}
    if settings.database_url:
        url = settings.sqlalchemy_url
        socket_or_host = url.host or url.query.get("host")
        whole = {
            "host": socket_or_host,
            "port": url.port,
            "user": url.username,
            "password": url.password,
            "name": url.database,
        }
        faults |= _differing("DATABASE_URL", "DB", settings.db, whole)
    if settings.redis.url:
        parts = urlsplit(settings.redis.url.get_secret_value())
        whole = {
            "host": parts.hostname,
            "port": parts.port,
            "password": unquote(parts.password) if parts.password else None,
        }
        faults |= _differing("REDIS_URL", "REDIS", settings.redis, whole)
    return faults


def _differing(url: str, prefix: str, group: BaseModel, whole: dict[str, Any]) -> Faults:
    faults: Faults = {}
    for field in sorted(group.model_fields_set & whole.keys()):
        part = getattr(group, field)
        part = part.get_secret_value() if isinstance(part, SecretStr) else part
        if part is not None and part != whole[field]:
            faults[f"{prefix}_{field.upper()}"] = f"contradicts {url}; set one of the two"
    return faults


def pool_constraints(settings: Settings) -> Faults:
    """Pool settings that do not fit each other."""
    db = settings.db
    faults: Faults = {}
    if db.connect_timeout > db.pool_timeout:
        faults["DB_CONNECT_TIMEOUT"] = "must not exceed DB_POOL_TIMEOUT, which would end it earlier"
    if db.connection_budget is not None:
        # One more for the health checks, which do not wait for the pool.
        needed = (db.pool_size + db.max_overflow + 1) * settings.http.workers
        if needed > db.connection_budget:
            faults["DB_CONNECTION_BUDGET"] = (
                f"(DB_POOL_SIZE + DB_MAX_OVERFLOW + 1) x HTTP_WORKERS is {needed}, which is more;"
                " lower one of them"
            )
    return faults


def live_trading(settings: Settings) -> Faults:
    """Real money needs two switches, and nothing that belongs to development."""
    faults: Faults = {}
    if settings.exchange not in settings.exchanges:
        known = ", ".join(sorted(settings.exchanges))
        faults["EXCHANGE"] = f"this service has no adapter for it; it has: {known}"
    if settings.trading_mode == "live":
        if settings.exchange == "paper":
            faults["EXCHANGE"] = "TRADING_MODE=live needs a real exchange, and this is paper"
        if settings.debug:
            faults["DEBUG"] = "must be off with TRADING_MODE=live"
        if "*" in settings.http.cors_origins:
            faults["HTTP_CORS_ORIGINS"] = "must name its origins with TRADING_MODE=live, not *"
    return faults


def misspellings(cls: type[Settings], given: Iterable[str]) -> Faults:
    """Names that are nearly one of ours. (Others belong to other programs.)"""
    known = setting_names(cls)
    faults: Faults = {}
    for name in given:
        nearest = _nearest(name, known) if name not in known else None
        if nearest:
            faults[name] = f"is no setting; did you mean {nearest}?"
    return faults


def _nearest(name: str, known: list[str]) -> str | None:
    prefix, _, rest = name.partition("_")
    endings = [other.partition("_")[2] for other in known if other.startswith(f"{prefix}_")]
    near = difflib.get_close_matches(rest, endings, n=1, cutoff=0.8)
    if near:
        return f"{prefix}_{near[0]}"
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.9)), None)
