"""Environment names that are nearly one of ours."""

import difflib
from collections.abc import Iterable

from .faults import Faults

_MEANT = {
    "DB_URL": "DATABASE_URL",
    "DB_HOSTNAME": "DB_HOST",
    "DB_USERNAME": "DB_USER",
    "DB_PASS": "DB_PASSWORD",
    "DB_PWD": "DB_PASSWORD",
    "DB_DATABASE": "DB_NAME",
    "DB_DBNAME": "DB_NAME",
    "REDIS_URI": "REDIS_URL",
    "REDIS_HOSTNAME": "REDIS_HOST",
    "REDIS_PASS": "REDIS_PASSWORD",
    "REDIS_PWD": "REDIS_PASSWORD",
    "REDIS_DATABASE": "REDIS_DB",
}
"""Names other programs have for what we have too, and which look different."""

_FOREIGN = ("HTTPS_",)
"""How names begin that look like ours and are well-known elsewhere."""


def misspellings(known: list[str], given: Iterable[str]) -> Faults:
    """Names that are nearly a known one. (Others belong to other programs.)"""
    faults: Faults = {}
    for name in given:
        nearest = _nearest(name, known) if name not in known else None
        if nearest:
            faults[name] = f"is no setting; did you mean {nearest}?"
    return faults


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
