"""Posting to a channel's web service, without its secret in any log."""

import asyncio
import re

import httpx
from pydantic import SecretStr

from ..core.alerts.channels import DeliveryError
from ..core.observability.http_client import create_http_client

_A_DAY = 86_400


class SecretUrl(httpx.URL):
    """An address part of which is a secret: as text, which httpx logs, it is without that part."""

    def __init__(self, url: SecretStr, shown: str) -> None:
        super().__init__(url.get_secret_value())
        self._shown = shown

    def __str__(self) -> str:
        return self._shown

    __repr__ = __str__


class Http:
    """Posts to one such address."""

    def __init__(self, url: SecretUrl, timeout: float) -> None:
        """`timeout`: seconds for the whole of a request."""
        self._url = url
        self._timeout = timeout
        self._client = create_http_client(timeout=timeout)

    async def post(self, body: dict[str, object]) -> httpx.Response:
        """Raise DeliveryError if there is no answer in time."""
        request = self._client.build_request("POST", self._url, json=body)
        request.url = self._url  # httpx has made a plain one of it
        try:
            async with asyncio.timeout(self._timeout):
                return await self._client.send(request)
        except (httpx.RequestError, TimeoutError) as error:
            reason = f"{self._url.host} can't be reached ({type(error).__name__})"
            raise DeliveryError(reason, is_temporary=True) from None

    @staticmethod
    def refusal(response: httpx.Response, reason: str, retry_after: object = None) -> DeliveryError:
        """The error for an answer that is no success; `retry_after` in seconds, if it was told."""
        host, status = response.url.host, response.status_code
        is_temporary = status >= 500 or status in {408, 425, 429}
        seconds = _seconds(retry_after or response.headers.get("Retry-After"))
        return DeliveryError(
            f"{host} answered {status}: {reason[:300]}",
            is_temporary=is_temporary,
            retry_after=seconds if is_temporary else None,
        )

    async def close(self) -> None:
        await self._client.aclose()


def _seconds(value: object) -> float | None:
    """Return the seconds that a server asks to wait, a day at most; None if that is no number."""
    text = str(value).strip()
    return float(min(int(text), _A_DAY)) if re.fullmatch(r"[0-9]{1,9}", text) else None
