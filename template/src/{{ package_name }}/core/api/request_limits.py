"""Bounds on a request, whoever the server is that runs the application."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..config.groups import HttpSettings
from ..errors import ErrorCode
from .problems import problem_response

_ONCE = {b"authorization": "Authorization", b"host": "Host"}
_SHORTEST_KEY = 5  # bytes of `"":0,`


class RequestLimitsMiddleware:
    """Refuses a body of more than HTTP_MAX_BODY_SIZE bytes, or JSON of too many keys, with 413.

    Each key that a schema does not know is an error to list, so that a body of many takes seconds.
    And refuses a header that must be there once, with 400: of two, which would count?

    FastAPI's own `max_body_size` answers plain text where the client declared the length.
    """

    def __init__(self, app: ASGIApp, http: HttpSettings) -> None:
        self.app = app
        self.max_size = http.max_body_size
        self.max_keys = http.max_body_keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length: bytes | None = None
        is_json = False
        seen = set()
        for name, value in scope["headers"]:
            if name == b"content-length":
                length = value
            elif name == b"content-type":
                is_json = b"json" in value.lower()
            elif name in _ONCE:
                if name in seen:
                    detail = f"The header {_ONCE[name]} may be there once"
                    refusal = problem_response(scope["path"], ErrorCode.BAD_REQUEST, detail)
                    await refusal(scope, receive, send)
                    return
                seen.add(name)
        if length is None:
            receive = self._limited(receive, is_json)
        elif not length.isdigit() or int(length) > self.max_size:
            code = ErrorCode.PAYLOAD_TOO_LARGE
            refusal = problem_response(scope["path"], code, self._too_long)
            await refusal(scope, receive, send)
            return
        # The server holds the client to the length that it declares.
        elif is_json and int(length) > _SHORTEST_KEY * self.max_keys:
            receive = self._limited(receive, is_json)
        await self.app(scope, receive, send)

    def _limited(self, receive: Receive, is_json: bool) -> Receive:
        size = keys = 0

        async def limited_receive() -> Message:
            nonlocal size, keys
            message = await receive()
            body = message.get("body", b"")
            size += len(body)
            if size > self.max_size:
                raise HTTPException(ErrorCode.PAYLOAD_TOO_LARGE.status, self._too_long)
            if is_json:
                keys += body.count(b":")
                if keys > self.max_keys:
                    raise HTTPException(ErrorCode.PAYLOAD_TOO_LARGE.status, self._too_many)
            return message

        return limited_receive

    @property
    def _too_long(self) -> str:
        return f"The request body may have {self.max_size} bytes at most"

    @property
    def _too_many(self) -> str:
        return f"The request body may have {self.max_keys} keys at most"
