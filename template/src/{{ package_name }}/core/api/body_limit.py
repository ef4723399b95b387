"""A bound on the size of a request."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import ErrorCode
from .problems import problem_response


class BodyLimitMiddleware:
    """Refuses a request body of more than `max_body_size` bytes with 413.

    FastAPI's own `max_body_size` answers plain text where the client declared the length.
    """

    def __init__(self, app: ASGIApp, max_body_size: int) -> None:
        self.app = app
        self.max_body_size = max_body_size
        self.message = f"The request body may have {max_body_size} bytes at most"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        for name, value in scope["headers"]:
            if name == b"content-length":
                # The server holds the client to the length that it declares.
                if value.isdigit() and int(value) <= self.max_body_size:
                    await self.app(scope, receive, send)
                else:
                    code = ErrorCode.PAYLOAD_TOO_LARGE
                    refusal = problem_response(scope["path"], code, self.message)
                    await refusal(scope, receive, send)
                return
        received = 0

        async def limited_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_body_size:
                raise HTTPException(ErrorCode.PAYLOAD_TOO_LARGE.status, self.message)
            return message

        await self.app(scope, limited_receive, send)
