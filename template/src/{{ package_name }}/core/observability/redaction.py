"""Masking of secrets in what is logged or sent."""

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, SecretStr

_MASK = "***"
_SHORT_TEXT = 200  # characters; texts of this length are remembered
_MAX_TEXT = 32_768  # characters; no line of ours is as long, and no client shall make one

_NAMES = (
    r"passwords?|passwd|pwd|passphrase|pass|secrets?|token|authorization|cookie|credentials?"
    r"|(?:api|access|private|secret|signing)[-_ ]?key|sign|signature|webhook[-_]url"
)
# A name ends with such a word: `auth_token` and `apiKey` do, `token_symbol` does not.
_SECRET_NAME = re.compile(
    rf"(?:^|.*[^a-z]|.*(?=api|secret|access)|set-)(?:{_NAMES})", re.IGNORECASE
)

# Each is anchored and bounded, so that no text takes more than a time proportional to its length.
_SECRET_TEXTS = [
    (re.compile(r"(://[^\s:/@]{0,256}):[^\s/@]{1,1024}@"), rf"\1:{_MASK}@"),  # a URL's password
    (re.compile(r"://[^\s:/@]{16,256}@"), f"://{_MASK}@"),  # a URL's token
    (re.compile(r"/bot\d{1,20}:[\w-]{1,256}"), f"/bot{_MASK}"),  # Telegram
    (re.compile(r"(?<![\w-])\d{5,16}:[\w-]{30,64}(?![\w-])"), _MASK),  # its token, by itself
    (re.compile(r"(hooks\.slack(?:-gov)?\.com/\w{1,20})/[\w/-]{8,256}"), rf"\1/{_MASK}"),
    (re.compile(r"\bsk_[\w-]{16,256}"), _MASK),  # an API key of ours
    (re.compile(r"\b(bearer|basic)\s{1,4}[\w.~+/=-]{16,4096}", re.IGNORECASE), rf"\1 {_MASK}"),
    (  # a header to its end
        re.compile(
            r"""((?<![\w-])(?:authorization|(?:set-)?cookie)["']?\s{0,4}[=:]\s{0,4}["']?)"""
            r"""[^"'\r\n}]{1,8192}""",
            re.IGNORECASE,
        ),
        rf"\1{_MASK}",
    ),
    (  # name = value, "name": "value"
        re.compile(
            r"""((?<![A-Za-z0-9_-])[A-Za-z0-9_-]{0,40}?(?<![A-Za-z])"""
            rf"""(?:{_NAMES})(?![\w-])["']?"""
            r"""\s{0,4}(?:=|:(?=\s{0,4}["'])|:(?!\s{0,4}[a-z]+(?![\w-])))\s{0,4})"""
            r"""("[^"\r\n]{0,4096}"|'[^'\r\n]{0,4096}'|[^\s"',;&)}\]]{1,4096})""",
            re.IGNORECASE,
        ),
        rf"\1{_MASK}",
    ),
]


class Redactor:
    """Masks values by their name and by what they look like, and `secrets` wherever they occur."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # A short one would mask words that have nothing to do with it.
        known = {secret for secret in secrets if len(secret) >= 8}
        for secret in tuple(known):
            known |= {quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
        longest_first = sorted(known, key=len, reverse=True)
        whole = "|".join(
            rf"(?<![A-Za-z0-9]){re.escape(one)}(?![A-Za-z0-9])" for one in longest_first
        )
        self._known = re.compile(whole) if known else None
        # Most lines repeat the texts of others: routes, methods, names of loggers.
        self._short_text = lru_cache(maxsize=4096)(self._masked)

    def text(self, text: str) -> str:
        """Return the text with every secret in it masked, and cut if it is very long."""
        if len(text) <= _SHORT_TEXT:
            return self._short_text(text)
        if len(text) > _MAX_TEXT:
            text = f"{text[:_MAX_TEXT]}... ({len(text)} characters)"
        return self._masked(text)

    def value(self, name: str, value: Any) -> Any:
        """Return the value of that name with every secret in it masked, down to any depth."""
        if value is None or isinstance(value, bool):
            return value
        if is_secret_name(name):
            return _MASK
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int | float):
            return value
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(name, item) for item in value]
        return self.text(_text_of(value))

    def _masked(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(_MASK, text)
        for pattern, replacement in _SECRET_TEXTS:
            text = pattern.sub(replacement, text)
        return text


def _text_of(value: Any) -> str:
    try:
        return str(value)
    except Exception as error:  # what is logged must not fail who logs it
        return f"<{type(value).__name__}: {type(error).__name__} in str()>"


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Tell whether a value of that name is a secret: `DB_PASSWORD`, `apiKey`, `auth_token`."""
    return _SECRET_NAME.fullmatch(name[-100:]) is not None


def redactor_of(settings: BaseModel) -> Redactor:
    """Create a redactor that knows every secret of the settings, those in URLs included."""
    secrets = secrets_of(settings)
    quoted = [urlsplit(secret).password or "" for secret in secrets if "://" in secret]
    return Redactor(secrets + quoted + [unquote(password) for password in quoted])


def secrets_of(model: BaseModel) -> list[str]:
    """Return the value of every secret field of the settings, nested ones included."""
    found: list[str] = []
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, SecretStr):
            found.append(value.get_secret_value())
        elif isinstance(value, BaseModel):
            found += secrets_of(value)
    return found
