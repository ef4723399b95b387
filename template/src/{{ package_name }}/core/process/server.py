"""Running the application with uvicorn."""

import errno
import importlib.util
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.watchfilesreload import WatchFilesReload

from ..observability.shared_metrics import VARIABLE as SHARED_FOLDER


class ServerError(Exception):
    """The server can't listen; the text says why and what to do."""


def run_server(
    application: str,
    host: str,
    port: int,
    *,
    workers: int = 1,
    trusted_proxies: Sequence[str] = (),
    greeting: str = "",
    reload: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT; further ones are ignored then. Call it in `Interruptible`.

    `application` is `module:attribute`. Nobody but `trusted_proxies` may say in headers for whom
    they ask, and over what. What happens in between is drain.py's. `greeting` is
    printed when the one worker answers; `reload` starts it anew when its package has changed.
    """
    package, _, _ = application.partition(".")
    # create_app has configured the log.
    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        workers=workers,
        reload=reload,
        reload_dirs=_folders_of(package) if reload else None,
        log_config=None,
        log_level="warning" if greeting else None,  # the greeting says it
        server_header=False,
        forwarded_allow_ips=list(trusted_proxies),
        # Seconds, which have to do for the imports too: who does not answer is killed.
        timeout_worker_healthcheck=20,
        # A page that listens to a stream must not hold up the next version of the code.
        timeout_graceful_shutdown=1 if reload else None,
    )
    # A listener of ours, so that one worker and several listen on the same addresses.
    listener = _listen(host, port)
    if workers > 1:
        with _shared_metrics():
            _Workers(config, sockets=[listener]).run()
    elif reload:
        _Reloader(config, _Server(config, greeting).run, [listener]).run()
    else:
        server = _Server(config, greeting)
        config.load_app()
        server.run([listener])
        if not server.started:
            sys.exit(STARTUP_FAILURE)
    _ignore_signals()


def _folders_of(package: str) -> list[str]:
    spec = importlib.util.find_spec(package)
    return list(spec.submodule_search_locations or []) if spec else []


class _Server(uvicorn.Server):
    """uvicorn's server, which greets when it answers."""

    def __init__(self, config: uvicorn.Config, greeting: str) -> None:
        super().__init__(config)
        self._greeting = greeting

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        super().run(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._greeting:
            sys.stdout.write(f"{self._greeting}\n")
            sys.stdout.flush()


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
