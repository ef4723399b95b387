"""Running the application with uvicorn."""

import errno
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn


class ServerError(Exception):
    """The server can't listen; the text says why and what to do."""


def run_server(host: str, port: int, workers: int = 1) -> None:
    """Serve until SIGTERM or SIGINT. Call it inside `Interruptible`."""
    with _shared_metrics() if workers > 1 else nullcontext():
        uvicorn.run(
            f"{__package__}.main:app",
            host=host,
            port=port,
            workers=workers,
            log_config=None,  # create_app has configured it
            timeout_graceful_shutdown=10,
        )


@contextmanager
def _shared_metrics() -> Iterator[None]:
    """A folder in which the workers share their metrics, so that each can show those of all."""
    with TemporaryDirectory(prefix="metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        try:
            yield
        finally:
            del os.environ["PROMETHEUS_MULTIPROC_DIR"]


def check_port(host: str, port: int) -> None:
    """Raise ServerError if nothing can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                reason = f"Port {port} is in use; choose another with --port"
            else:
                reason = f"Can't listen on {host} port {port}: {error.strerror}"
            raise ServerError(reason) from None


class Interruptible:
    """A block that SIGTERM, SIGHUP or SIGINT ends early, as if it had come to its end.

    What leaves the block then cleans up in peace: further signals are ignored. (uvicorn shuts
    down on a signal, and then raises it again, which would otherwise kill the process.)

    SIGHUP acts as SIGTERM, since that is what uvicorn shuts down on.
    """

    _SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, self._stop) for number in self._SIGNALS}
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))

    def __exit__(self, _type: Any, error: BaseException | None, _traceback: Any) -> bool:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        return isinstance(error, KeyboardInterrupt)

    def _stop(self, _number: int, _frame: Any) -> None:
        for number in self._SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt
