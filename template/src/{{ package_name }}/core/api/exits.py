"""Exceptions that end a process: raised by a handler, they end the request, with an answer."""

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send


class UnusualError(Exception):
    """A handler has ended with what is no Exception, such as SystemExit; the cause is that."""


class ExitsMiddleware:
    """Has a SystemExit, GeneratorExit and the like answered and logged as any other error.

    Starlette passes them on, and the server's own answer would have neither our shape nor an id. A
    cancellation stays what it is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except (Exception, asyncio.CancelledError):
            raise
        except BaseException as error:
            raise UnusualError(f"{type(error).__name__} in a handler") from error
