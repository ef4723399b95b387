"""Credentials that are missing, or that nobody has replaced by the real ones."""

import re
from typing import Any

from pydantic import BaseModel, SecretStr

from .faults import Faults
from .urls import database_url, stated_in_database_url

# A value that the shell, compose or a template should have filled in.
_UNFILLED = re.compile(r"<.*>|\$?\{.*\}|\$\(.*\)|\$[A-Z_]+|\$[a-z_]+|%[A-Z_]+%")
_COMMON = re.compile(
    "admin|change|default|demo|enter|example|fill|insert|letmein|p@ssw0rd|passphrase|passw0rd"
    "|password|passwd|pass|placeholder|postgresql|postgres|qwerty|redis|replace|root|sample|secret"
    "|test|this|todo|token|trading|value|welcome|your|here|key|123[0-9]*"
)
_LEAST_LENGTH = 8
_LEAST_VARIETY = 5  # letters and digits that differ, besides those of common words
# A host may well be called postgres, redis or test.
_PLACEHOLDER_HOST = re.compile(
    r"xxx+|change[-_]?me|your[-_. ]?(db|database)?[-_. ]?(host|server|domain).*", re.IGNORECASE
)
_HOSTS = {"DB_HOST", "REDIS_HOST"}


def credential_faults(given: dict[str, str | None], needed_by: str) -> Faults:
    """Return what is wrong with these credentials, by name; `needed_by` says who needs them."""
    reasons = {name: _unreal(name, value) for name, value in given.items()}
    return {
        name: f"{reason}; {needed_by} needs the real one"
        for name, reason in reasons.items()
        if reason
    }


def given(values: dict[str, Any], name: str) -> str | None:
    """Return the value of a group's setting, before it is validated; None if it is not set."""
    group_name, _, field = name.lower().partition("_")
    group = values.get(group_name, {})
    value = getattr(group, field, None) if isinstance(group, BaseModel) else group.get(field)
    if isinstance(group, BaseModel) and field not in group.model_fields_set:
        return None
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def given_in_database_url(values: dict[str, Any]) -> dict[str, str | None]:
    """Return the DB_HOST and DB_PASSWORD that DATABASE_URL states, if it is valid."""
    text = values.get("database_url")
    if not text:
        return {}
    try:
        url = database_url(text.get_secret_value() if isinstance(text, SecretStr) else str(text))
    except ValueError:
        return {}  # which is a fault of its own
    stated = stated_in_database_url(url)
    return {f"DB_{part.upper()}": stated[part] for part in ("host", "password") if part in stated}


def _unreal(name: str, value: str | None) -> str | None:
    text = str(value).strip() if value is not None else ""
    if not text:
        return "is missing"
    if _UNFILLED.fullmatch(text):
        return "is a placeholder"
    if name in _HOSTS:
        return "is a placeholder" if _PLACEHOLDER_HOST.fullmatch(text) else None
    if _is_placeholder(text):
        return "is a placeholder"
    if len(text) < _LEAST_LENGTH:
        return f"is too short ({_LEAST_LENGTH} characters at least)"
    return None


def _is_placeholder(text: str) -> bool:
    """Tell whether next to nothing is left of the text without common words."""
    rest = _COMMON.sub("", text.lower())
    return len({character for character in rest if character.isalnum()}) < _LEAST_VARIETY
