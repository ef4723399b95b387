"""Several processes that serve, and the one that looks after them."""

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from ..observability.metrics import count_death
from .connections import Config, Load
from .uvicorn_server import Server

_log = structlog.get_logger(__name__)

# Requests that were cancelled get so long to roll back.
_ROLLBACK_SECONDS = 5.0


@dataclass(frozen=True)
class Death:
    """A worker that ended without being asked to."""

    pid: int
    reason: str
    """The name of the signal, such as SIGKILL; else the exit code, or that it hung."""


OnDeath = Callable[[Death], None]


def log_death(death: Death) -> None:
    """Do what is done of a death where nobody is told."""
    _log.error("worker died", pid=death.pid, reason=death.reason)


class Worker(Process):
    """A process that serves. It ends when its parent does, however that ended."""

    config: Config
    _server: Server | None

    def __init__(self, config: Config, sockets: list[socket.socket], load: Load) -> None:
        super().__init__(config, sockets)
        self._load = load
        self._asked_at: float | None = None

    @property
    def server(self) -> Server:
        if self._server is None:
            self._server = Server(self.config, self._load)
        return self._server

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        threading.Thread(target=self._end_with_parent, daemon=True).start()
        super().target(sockets)

    def _end_with_parent(self) -> None:
        """End by force what does not end by itself; see drain.py for what does."""
        parent = multiprocessing.parent_process()
        assert parent is not None
        parent.join()
        if self.server.started:
            time.sleep(self.config.limits.shutdown_timeout + _ROLLBACK_SECONDS)
        os._exit(1)

    def fault(self, timeout: float) -> str:
        """Tell what is wrong with it, "" if nothing is; never waits.

        It is asked again and again whether it answers, and hangs if it does not within `timeout`.
        """
        if not self.process.is_alive():
            code = self.exitcode or 0
            return signal.Signals(-code).name if code < 0 else f"exit code {code}"
        try:
            if self._asked_at is None:
                self.parent_conn.send(b"ping")
                self._asked_at = time.monotonic()
            elif self.parent_conn.poll():
                self.parent_conn.recv()
                self._asked_at = None
            elif time.monotonic() - self._asked_at > timeout:
                return "it hung"
        except (EOFError, OSError):
            return ""  # it has just ended
        return ""


class Workers(Multiprocess):
    """uvicorn's supervisor. A worker that dies is told of and replaced within half a second."""

    config: Config
    processes: list[Process]

    def __init__(
        self, config: Config, sockets: list[socket.socket], load: Load, on_death: OnDeath
    ) -> None:
        super().__init__(config, sockets)
        self._load = load
        self._on_death = on_death

    def run(self) -> None:
        super().run()
        if any(worker.exitcode == STARTUP_FAILURE for worker in self.processes):
            sys.exit(STARTUP_FAILURE)

    def init_processes(self) -> None:
        self.processes = [self._started(index) for index in range(self.processes_num)]

    def _started(self, index: int) -> Worker:
        worker = Worker(self.config, self.sockets, self._load.of_worker(index))
        worker.start()
        return worker

    def keep_subprocess_alive(self) -> None:
        for index, worker in enumerate(self.processes):
            assert isinstance(worker, Worker)
            fault = worker.fault(self.config.timeout_worker_healthcheck)
            if not fault:
                continue
            worker.kill()  # unless it has ended
            worker.join()
            if worker.exitcode == STARTUP_FAILURE:  # and so would another one
                self.should_exit.set()
                return
            self.processes[index] = self._started(index)
            count_death()
            self._on_death(Death(worker.pid or 0, fault))

    def terminate_all(self) -> None:
        super().terminate_all()
        # Ours would let clients connect, and wait for a worker that does not come any more.
        for listener in self.sockets:
            listener.close()

    def join_all(self) -> None:
        self.signal_queue.clear()
        while alive := [worker for worker in self.processes if worker.process.is_alive()]:
            alive[0].process.join(0.1)
            if self.signal_queue:
                self.signal_queue.clear()
                for worker in alive:
                    worker.terminate()

    def handle_hup(self) -> None:
        """End, as a single process does. (uvicorn's would start workers that are not ours.)"""
        self.should_exit.set()

    def handle_ttin(self) -> None:
        """Do nothing: HTTP_WORKERS says how many there are, and pools are counted by it."""

    handle_ttou = handle_ttin
