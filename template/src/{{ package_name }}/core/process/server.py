"""Running the application with uvicorn."""

import errno
import importlib.util
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.watchfilesreload import WatchFilesReload

from ..observability.shared_metrics import VARIABLE as SHARED_FOLDER
from .connections import Config, Limits, Load
from .uvicorn_server import Server
from .workers import OnDeath, Workers, log_death


class ServerError(Exception):
    """The server can't listen; the text says why and what to do."""


def run_server(
    application: str,
    host: str,
    port: int,
    *,
    limits: Limits = Limits(),  # noqa: B008  # it can't be changed
    workers: int = 1,
    on_death: OnDeath = log_death,
    greeting: str = "",
    reload: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT; further ones are ignored then. Call it in `Interruptible`.

    `application` is `module:attribute`. What happens in between is drain.py's. `greeting` is
    printed when the one worker answers; `reload` starts it anew when its package has changed.
    """
    package, _, _ = application.partition(".")
    # create_app has configured the log.
    config = Config(
        application,
        limits,
        host=host,
        port=port,
        workers=workers,
        reload=reload,
        reload_dirs=_folders_of(package) if reload else None,
        log_config=None,
        log_level="warning" if greeting else None,  # the greeting says it
        server_header=False,
        # Seconds, which have to do for the imports too: who does not answer is killed.
        timeout_worker_healthcheck=20,
        # A page that listens to a stream must not hold up the next version of the code.
        timeout_graceful_shutdown=1 if reload else None,
    )
    # Listeners of ours, so that one worker and several listen on the same addresses.
    if workers > 1:
        with _shared_metrics():
            Workers(config, [_listen(host, port)], Load(workers), on_death).run()
    elif reload:
        server = Server(config, Load(), greeting)
        _Reloader(config, server.run, [_listen(host, port)]).run()
    else:
        server = Server(config, Load(), greeting)
        listener = _listen(host, port)
        config.load_app()
        server.run([listener])
        if not server.started:
            sys.exit(STARTUP_FAILURE)
    _ignore_signals()


def _folders_of(package: str) -> list[str]:
    spec = importlib.util.find_spec(package)
    return list(spec.submodule_search_locations or []) if spec else []


class _Reloader(WatchFilesReload):
    """uvicorn's reloader, whose process may be interrupted while it imports, or a second time."""

    def startup(self) -> None:
        with _interrupts_wait():
            super().startup()

    def restart(self) -> None:
        with _interrupts_wait():
            super().restart()

    def signal_handler(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit.is_set():
            self.process.terminate()  # it has had the first one, and we wait for it
        super().signal_handler(sig, frame)


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Hold SIGINT back, also in a process that is started here, until it serves.

    The terminal sends it Ctrl-C too, and Python would print a traceback while it imports.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _shared_metrics() -> Iterator[None]:
    """A folder in which the workers share their metrics, so that each can show those of all."""
    try:
        folder = TemporaryDirectory(prefix="metrics-")
    except OSError as error:
        raise ServerError(
            f"HTTP_WORKERS above 1 needs a folder for temporary files ({error.strerror}): name one "
            "in TMPDIR that can be written to, or start more containers with HTTP_WORKERS=1"
        ) from None
    with folder:
        os.environ[SHARED_FOLDER] = folder.name
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
