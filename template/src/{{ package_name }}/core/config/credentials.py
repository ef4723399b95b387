"""Credentials that are missing, or that nobody has replaced by the real ones."""

import re
from typing import Any

from pydantic import BaseModel, SecretStr

from .faults import Faults
from .urls import database_url, stated_in_database_url

_WORDS = (
    "api|change|changeme|database|db|default|demo|dummy|enter|fill|here|in|insert|it|key|letmein"
    "|me|my|none|null|passphrase|password|passwd|pass|placeholder|postgres|postgresql|put|pwd|real"
    "|redis|replace|root|sample|secret|set|some|super|tbd|test|the|this|todo|token|user|value"
    "|welcome|word|your|admin|example|trading"
)
_VARIABLE = r"[A-Z]+(_[A-Z]+)*"
# A value that the shell, compose or a template should have filled in.
_UNFILLED = (
    r"<.*>|\$?\{.*\}|\$\(.*\)"
    rf"|(?-i:\${_VARIABLE}|\${_VARIABLE.lower()})|%{_VARIABLE}%"
)
_PLACEHOLDER = re.compile(
    rf"{_UNFILLED}|x+|\*+|\.+|123[0-9]*|qwerty.*|example.*|placeholder.*|.*[-_ ]here"
    r"|(your|my|some)[-_ ].*"
    r"|(change|replace|insert|enter|put|set|fill)[-_ ]?(me|this|it|in|here|your).*",
    re.IGNORECASE,
)
_LONGEST_FIRST = "|".join(sorted(_WORDS.split("|"), key=len, reverse=True))
_ONLY_WORDS = re.compile(rf"(?:(?>{_LONGEST_FIRST})[-_ .]*+)++")  # without a way back: linear
_LEET = str.maketrans("013457@$", "oieastas")
# A host may well be called postgres, redis or test.
_PLACEHOLDER_HOST = re.compile(
    rf"{_UNFILLED}|xxx+|your[-_. ]?(db|database)?[-_. ]?(host|server|domain).*|change[-_]?me",
    re.IGNORECASE,
)
_HOSTS = {"DB_HOST", "REDIS_HOST"}
_MIN_LENGTH = {"OKX_API_KEY": 16, "OKX_SECRET_KEY": 16}
_DEPLOYED = {"staging", "production"}


def missing_credentials(values: dict[str, Any]) -> Faults:
    """Credentials that are missing or not real, where real ones are needed."""
    reason = why_real(values)
    if not reason:
        return {}
    needed = ["DB_HOST", "DB_PASSWORD"]
    if values.get("exchange", "paper") == "okx":
        needed += ["OKX_API_KEY", "OKX_SECRET_KEY", "OKX_PASSPHRASE"]
    found = {name: given(values, name) for name in needed} | _of_database_url(values)
    return credential_faults(found, reason)


def why_real(values: dict[str, Any]) -> str:
    """The setting that makes real credentials necessary; "" if none does."""
    if values.get("trading_mode") == "live":
        return "TRADING_MODE=live"
    environment = values.get("environment", "development")
    return f"ENVIRONMENT={environment}" if environment in _DEPLOYED else ""


def credential_faults(given: dict[str, str | None], needed_by: str) -> Faults:
    """What is wrong with these credentials, by name; `needed_by` says why they are needed."""
    reasons = {name: _unreal(name, value) for name, value in given.items()}
    return {
        name: f"{reason}; {needed_by} needs the real one"
        for name, reason in reasons.items()
        if reason
    }


def given(values: dict[str, Any], name: str) -> str | None:
    """The value of a group's setting, before it is validated; None if it is not set."""
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
    stated = stated_in_database_url(url)
    return {f"DB_{part.upper()}": stated[part] for part in ("host", "password") if part in stated}


def _unreal(name: str, value: str | None) -> str | None:
    text = str(value).strip() if value is not None else ""
    if not text:
        return "is missing"
    if name in _HOSTS:
        return "is a placeholder" if _PLACEHOLDER_HOST.fullmatch(text) else None
    if _is_placeholder(text):
        return "is a placeholder"
    least = _MIN_LENGTH.get(name, 8)
    if len(text) < least:
        return f"is too short ({least} characters at least)"
    return None


def _is_placeholder(text: str) -> bool:
    word = re.sub(r"[\d\W_]+$", "", text).lower()
    return (
        len(set(text)) < 4
        or _PLACEHOLDER.fullmatch(text) is not None
        or _ONLY_WORDS.fullmatch(word.translate(_LEET)) is not None
    )
