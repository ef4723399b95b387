"""Accepting connections: evenly among workers, and never more than there is room."""

import asyncio
import resource
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog

from ..observability.metrics import ACCEPT_FAILURES, CONNECTIONS_EVICTED
from .connections import Connections

_log = structlog.get_logger(__name__)

RESERVE: Final = 16
"""Connections beyond the limit, for when all of them are being served: health is asked then."""

_FILES_OF_THE_PROCESS = 64  # its log, libraries, the event loop, what a handler opens
_MOST_IN_A_ROUND = 100  # of the event loop
_PAUSE_SECONDS = 0.05
_SECONDS_FOR_ANOTHER = 0.002
_SECONDS_BETWEEN_LINES = 60.0


class Listener:
    """Accepts connections from a socket that other processes may listen to as well.

    asyncio's own takes all that wait at once: the first worker that wakes up would serve them
    alone. This one looks at the others before each. It is of use where uvicorn expects an
    `asyncio.Server`.
    """

    def __init__(
        self,
        listener: socket.socket,
        create_protocol: Callable[[], asyncio.BaseProtocol],
        connections: Connections,
        limit: int,
    ) -> None:
        """`limit` is how many connections there may be."""
        self.sockets = [listener]
        self._socket = listener
        self._create_protocol = create_protocol
        self._connections = connections
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._being_opened: set[asyncio.Task[None]] = set()
        self._told_at = float("-inf")
        self._untold = 0
        self._is_open = True
        self._has_waited = False
        connections.load.set(len(connections.connections))
        listener.setblocking(False)
        listener.listen(2048)
        self._go_on()

    def is_serving(self) -> bool:
        return self._is_open

    def close(self) -> None:
        """Stop listening, once whoever waits is accepted: they would be cut off."""
        if self._is_open:
            self._is_open = False
            self._connections.load.end()
            self._loop.remove_reader(self._socket)
            while self._accept_one():
                pass
            self._socket.close()

    async def wait_closed(self) -> None:
        if self._being_opened:
            await asyncio.wait(self._being_opened)

    def _go_on(self) -> None:
        if self._is_open:
            self._loop.add_reader(self._socket, self._accept)

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._socket)
        self._loop.call_later(seconds, self._go_on)

    def _leaves_it_to_another(self, count: int) -> bool:
        """Tell whether another worker has fewer connections, and was not given time to accept."""
        if not self._is_open:
            return False
        load = self._connections.load
        load.set(count)
        self._has_waited = not self._has_waited and load.is_more_than_another()
        return self._has_waited

    def _accept(self) -> None:
        # Only one in each round of the loop would leave those that come in a rush waiting, for
        # seconds, until nobody is there any more to read what they are answered.
        for _ in range(_MOST_IN_A_ROUND):
            if not self._accept_one():
                return

    def _accept_one(self) -> bool:
        """Accept the next connection; return whether to go on."""
        count = len(self._connections.connections) + len(self._being_opened)
        if self._leaves_it_to_another(count):
            self._pause(_SECONDS_FOR_ANOTHER)
            return False
        if count >= self._limit:
            if self._connections.close_one():
                CONNECTIONS_EVICTED.inc()
                self._tell("connections are at their limit", evicted=1)
            elif count >= self._limit + RESERVE:
                self._tell("connections are at their limit, and all are being served")
                self._pause(_PAUSE_SECONDS)
                return False
        try:
            client, _ = self._socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False  # another worker was quicker, or the client has left
        except OSError as error:  # no file or no memory is left
            ACCEPT_FAILURES.inc()
            self._connections.close_one()
            self._tell("connections can't be accepted", reason=error.strerror or repr(error))
            self._pause(_PAUSE_SECONDS)
            return False
        task = self._loop.create_task(self._open(client))
        self._being_opened.add(task)
        task.add_done_callback(self._being_opened.discard)
        return True

    async def _open(self, client: socket.socket) -> None:
        client.setblocking(False)
        try:
            await self._loop.connect_accepted_socket(self._create_protocol, client)
        except OSError:
            client.close()

    def _tell(self, event: str, **fields: object) -> None:
        """Log it, once a minute at most."""
        self._untold += 1
        now = self._loop.time()
        if now - self._told_at >= _SECONDS_BETWEEN_LINES:
            _log.warning(
                event,
                limit=self._limit,
                connections=len(self._connections.connections),
                times=self._untold,
                advice="docs/http.md, Connections",
                **fields,
            )
            self._told_at, self._untold = now, 0


def room_for_connections(wanted: int, other_files: int) -> int:
    """Return how many connections a process can have, up to `wanted`, beside its other files.

    It raises the process's limit of open files as far as it may.
    """
    others = other_files + RESERVE + _FILES_OF_THE_PROCESS
    soft, hard = (
        float("inf") if limit == resource.RLIM_INFINITY else limit
        for limit in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    needed = wanted + others
    if soft < needed:
        files = int(min(needed, hard))
        with suppress(ValueError, OSError):  # the system has a limit of its own
            resource.setrlimit(
                resource.RLIMIT_NOFILE,
                (files, resource.RLIM_INFINITY if hard == float("inf") else int(hard)),
            )
            soft = files
    return int(max(RESERVE, min(wanted, soft - others)))
