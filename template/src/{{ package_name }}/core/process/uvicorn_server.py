"""uvicorn's server, as this service runs it."""

import signal
import socket
import sys

import uvicorn

from .connections import Config, Connection, Connections, Load
from .listener import Listener, room_for_connections


class Server(uvicorn.Server):
    """uvicorn's server, which accepts only as much as it has room for, and greets when it does."""

    config: Config
    server_state: Connections

    def __init__(self, config: Config, load: Load, greeting: str = "") -> None:
        super().__init__(config)
        self.server_state = Connections(load)
        self._greeting = greeting

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        super().run(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([])
        if self.should_exit:  # a signal came meanwhile: who is let in now is told of no end
            return
        limits = self.config.limits
        room = room_for_connections(limits.connections, limits.other_files)
        # uvicorn asks of them what Listener has of asyncio.Server.
        self.servers = [
            Listener(listener, self._new_connection, self.server_state, room)  # type: ignore[misc]
            for listener in sockets or []
        ]
        if self.started and self._greeting:
            sys.stdout.write(f"{self._greeting}\n")
            sys.stdout.flush()

    def _new_connection(self) -> Connection:
        return Connection(self.config, self.server_state, self.lifespan.state)
