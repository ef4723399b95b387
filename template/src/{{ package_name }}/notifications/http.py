"""Posting to a channel's web service, without its secret in any log."""

import asyncio
import re

import httpx
from pydantic import SecretBytes, SecretStr

from ..core.observability.delivery import DeliveryError
from ..core.observability.outgoing import create_http_client

_A_DAY = 86_400


class Http:
    """Posts to one address, part of which is a secret.

    httpx logs each address and has it in its exceptions. So it gets `shown`, without the secret,
    and the path with the secret as the request's target.
    """

    def __init__(self, url: SecretStr, shown: str, timeout: float) -> None:
        """`timeout`: seconds for the whole of a request."""
        self._target = SecretBytes(httpx.URL(url.get_secret_value()).raw_path)
        self._shown = httpx.URL(shown)
        self._timeout = timeout
        self._client = create_http_client(timeout=timeout)

    async def post(self, body: dict[str, object]) -> httpx.Response:
        """Raise DeliveryError if there is no answer in time."""
        target = {"target": self._target.get_secret_value()}
        try:
            async with asyncio.timeout(self._timeout):
                return await self._client.post(self._shown, json=body, extensions=target)
        except (httpx.TransportError, TimeoutError) as error:
            reason = f"{self._shown.host} can't be reached ({type(error).__name__})"
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
    """What a server asks to wait, a day at most; None if it can't be understood."""
    text = str(value).strip()
    return float(min(int(text), _A_DAY)) if re.fullmatch(r"[0-9]{1,9}", text) else None
