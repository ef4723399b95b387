"""Running the application with uvicorn."""

import errno
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from ..observability.shared_metrics import VARIABLE as SHARED_FOLDER


class ServerError(Exception):
    """The server can't listen; the text says why and what to do."""


def run_server(application: str, host: str, port: int, workers: int = 1) -> None:
    """Serve until SIGTERM or SIGINT; further ones are ignored then. Call it in `Interruptible`.

    `application` is `module:attribute`. What happens in between is lifecycle.py's.
    """
    # create_app has configured the log.
    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        workers=workers,
        log_config=None,
        # Seconds, which have to do for the imports too: who does not answer is killed.
        timeout_worker_healthcheck=20,
    )
    # A listener of ours, so that one worker and several listen on the same addresses.
    listener = _listen(host, port)
    if workers > 1:
        with _shared_metrics():
            _Workers(config, sockets=[listener]).run()
    else:
        _serve(config, listener)
    _ignore_signals()


def _serve(config: uvicorn.Config, listener: socket.socket) -> None:
    config.load_app()
    server = uvicorn.Server(config)
    server.run(sockets=[listener])
    if not server.started:
        sys.exit(STARTUP_FAILURE)


class _Workers(Multiprocess):
    """uvicorn's workers, whose listener closes with theirs, and who hear of a second signal."""

    def run(self) -> None:
        super().run()
        if any(process.exitcode == STARTUP_FAILURE for process in self.processes):
            sys.exit(STARTUP_FAILURE)

    def terminate_all(self) -> None:
        super().terminate_all()
        # Ours would let clients connect, and wait for a worker that does not come any more.
        for listener in self.sockets:
            listener.close()

    def join_all(self) -> None:
        self.signal_queue.clear()
        while alive := [process for process in self.processes if process.process.is_alive()]:
            alive[0].process.join(0.1)
            if self.signal_queue:
                self.signal_queue.clear()
                for process in alive:
                    process.terminate()


@contextmanager
def _shared_metrics() -> Iterator[None]:
    """A folder in which the workers share their metrics, so that each can show those of all."""
    with TemporaryDirectory(prefix="metrics-") as folder:
        os.environ[SHARED_FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[SHARED_FOLDER]


def check_port(host: str, port: int) -> None:
    """Raise ServerError if nothing can listen there."""
    _listen(host, port).close()


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to that address; one on `::` takes IPv4 too. Raises ServerError."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if listener.family is socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            reason = f"Port {port} is in use; choose another with --port"
        else:
            reason = f"Can't listen on {host} port {port}: {error.strerror}"
        raise ServerError(reason) from None
    listener.set_inheritable(True)
    return listener


_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def _ignore_signals() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


class Interruptible:
    """A block that SIGTERM, SIGHUP or SIGINT ends early, as if it had come to its end.

    What leaves the block then cleans up in peace: further signals are ignored.

    SIGHUP acts as SIGTERM, since that is what uvicorn shuts down on.
    """

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, self._stop) for number in _SIGNALS}
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))

    def __exit__(self, _type: Any, error: BaseException | None, _traceback: Any) -> bool:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        return isinstance(error, KeyboardInterrupt)

    def _stop(self, _number: int, _frame: Any) -> None:
        _ignore_signals()
        raise KeyboardInterrupt
