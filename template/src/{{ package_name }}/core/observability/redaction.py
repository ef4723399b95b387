"""Keeping secrets out of what is logged."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, SecretStr

_MASK = "***"
_SHORT = 200
_NAMES = r"password|passwd|passphrase|secret|token|api[-_ ]?key|authorization|cookie|credential"
_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)
_SECRET_TEXTS = [
    (re.compile(r"(\w+://[^\s:/@]*):[^\s/]*@"), rf"\1:{_MASK}@"),  # a password in a URL
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1 {_MASK}"),
    (re.compile(r"/bot\d+:[\w-]+"), f"/bot{_MASK}"),  # a Telegram URL
    (re.compile(r"\bsk_[\w-]{16,}"), _MASK),  # an API key of ours
    (
        re.compile(
            rf"""((?:[\w-]*(?:{_NAMES})[\w-]*)["']?\s*[=:]\s*["']?)(?!\*)[^\s"',;&)}}]+""",
            re.IGNORECASE,
        ),
        rf"\1{_MASK}",
    ),
]


class Redactor:
    """Masks values by name, by what they look like, and the known secrets wherever they occur."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # A short one would mask words that have nothing to do with it.
        known = {secret for secret in secrets if len(secret) >= 6}
        known |= {quote(secret, safe="") for secret in known}
        longest_first = sorted(known, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if known else None

        # Most lines repeat the texts of others: routes, methods, names of loggers.
        self._short_text = lru_cache(maxsize=4096)(self._masked)

    def text(self, text: str) -> str:
        """The text with every secret in it masked."""
        return self._short_text(text) if len(text) <= _SHORT else self._masked(text)

    def value(self, name: str, value: Any) -> Any:
        """The value of that name with every secret in it masked, down to any depth."""
        if isinstance(value, str):
            return _MASK if _is_secret(name) else self.text(value)
        if value is None or isinstance(value, bool | int | float):
            return value
        if _is_secret(name):
            return _MASK
        if isinstance(value, Mapping):
            return {str(key): self.value(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(name, item) for item in value]
        return self.text(str(value))

    def _masked(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(_MASK, text)
        for pattern, replacement in _SECRET_TEXTS:
            text = pattern.sub(replacement, text)
        return text


@lru_cache(maxsize=4096)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def secrets_of(model: BaseModel) -> list[str]:
    """The value of every secret field, nested ones included."""
    found: list[str] = []
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, SecretStr):
            found.append(value.get_secret_value())
        elif isinstance(value, BaseModel):
            found += secrets_of(value)
    return found
