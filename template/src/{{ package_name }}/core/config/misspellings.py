"""Environment names that are nearly one of ours, or mean what we call otherwise."""

import difflib
import re
from collections.abc import Iterable

from .faults import Faults

_MEANT = {
    "CORS_ALLOWED_ORIGINS": "HTTP_CORS_ORIGINS",
    "CORS_ALLOW_ORIGINS": "HTTP_CORS_ORIGINS",
    "CORS_ORIGINS": "HTTP_CORS_ORIGINS",
    "DATABASE_DSN": "DATABASE_URL",
    "DATABASE_HOST": "DB_HOST",
    "DATABASE_NAME": "DB_NAME",
    "DATABASE_PASSWORD": "DB_PASSWORD",
    "DATABASE_PORT": "DB_PORT",
    "DATABASE_URI": "DATABASE_URL",
    "DATABASE_USER": "DB_USER",
    "DATABASE_USERNAME": "DB_USER",
    "DB_DATABASE": "DB_NAME",
    "DB_DBNAME": "DB_NAME",
    "DB_DSN": "DATABASE_URL",
    "DB_HOSTNAME": "DB_HOST",
    "DB_MAX_CONNECTIONS": "DB_POOL_SIZE",
    "DB_PASS": "DB_PASSWORD",
    "DB_POOL_MAX_SIZE": "DB_POOL_SIZE",
    "DB_PWD": "DB_PASSWORD",
    "DB_URI": "DATABASE_URL",
    "DB_URL": "DATABASE_URL",
    "DB_USERNAME": "DB_USER",
    "REDIS_DATABASE": "REDIS_DB",
    "REDIS_HOSTNAME": "REDIS_HOST",
    "REDIS_PASS": "REDIS_PASSWORD",
    "REDIS_POOL_SIZE": "REDIS_MAX_CONNECTIONS",
    "REDIS_PWD": "REDIS_PASSWORD",
    "REDIS_URI": "REDIS_URL",
}
"""Names that other programs have for a setting of ours, and that look different."""

_ONLY_IN_URLS = {
    re.compile(r"REDIS_USER(NAME)?"): "a user is set in REDIS_URL: redis://user@host:6379/0",
    re.compile(r"REDIS_(USE_|ENABLE_|REQUIRE_)?(SSL|TLS)(_?(MODE|ENABLED|REQUIRED|CERT_REQS))?"): (
        "TLS is asked for in REDIS_URL: rediss://host:6379/0, with two s"
    ),
    re.compile(
        r"(DB|DATABASE)_(USE_|ENABLE_|REQUIRE_)?(SSL|TLS)(_?(MODE|ENABLED|REQUIRED))?"
    ): "TLS is asked for in DATABASE_URL: postgresql:///?sslmode=require adds it to DB_*",
    re.compile(r"(DB|DATABASE)_(SSL|TLS)_?(ROOT_?)?(CA|CERT|KEY)(_?(FILE|PATH))?"): (
        "certificates are files that PGSSLROOTCERT, PGSSLCERT and PGSSLKEY name"
    ),
}
"""Names that look like settings, but whose value has its place elsewhere, and where."""

_FOREIGN = ("HTTPS_",)
"""Beginnings of names that look like ours and are well-known elsewhere."""


def misspellings(known: list[str], given: Iterable[str]) -> Faults:
    """Return the names that are nearly a known one. (Others belong to other programs.)"""
    faults: Faults = {}
    for name in given:
        if name not in known and (advice := _advice(name, known)):
            faults[name] = f"is no setting; {advice}"
    return faults


def _advice(name: str, known: list[str]) -> str | None:
    for pattern, advice in _ONLY_IN_URLS.items():
        if pattern.fullmatch(name):
            return advice
    nearest = _nearest(name, known)
    return f"did you mean {nearest}?" if nearest else None


def _nearest(name: str, known: list[str]) -> str | None:
    if name.startswith(_FOREIGN):
        return None
    if _MEANT.get(name) in known:
        return _MEANT[name]
    prefix, _, rest = name.partition("_")
    endings = [other.partition("_")[2] for other in known if other.startswith(f"{prefix}_")]
    near = difflib.get_close_matches(rest, endings, n=1, cutoff=0.8)
    if near:
        return f"{prefix}_{near[0]}"
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.9)), None)
