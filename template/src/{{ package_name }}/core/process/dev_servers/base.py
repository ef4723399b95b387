"""A server that is started for somebody, and ends with them."""

import fcntl
import importlib.util
import os
import secrets
import shutil
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import IO, Any

from .errors import DevServerError
from .folders import PASSABLE, private_folder
from .guard import STOP_SECONDS
from .guarding import Guard

_START_SECONDS = 60


class DevServer(ABC):
    """A server whose data is in `folder`. Whoever starts it stops it; it does not outlive them."""

    name: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.log = self.folder.with_suffix(".log")
        self._lock_file = self.folder.with_suffix(".lock")
        # Short, since the path of a socket may have 107 bytes, and not to be guessed by others.
        self.socket_folder = Path(tempfile.gettempdir()) / f"devserver-{secrets.token_hex(8)}"
        self._guard: Guard | None = None

    @property
    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Environment variables with which a service finds this server."""

    @property
    def _other_owner(self) -> int | None:
        """The id of a user to whom the folder may have been given."""
        return None

    @property
    def pid(self) -> int:
        """The process id of the server, while it runs."""
        return int(self._lock_file.read_text())

    def start(self) -> None:
        """Start the server and wait until it answers. Raises DevServerError."""
        private_folder(self.folder.parent, PASSABLE)
        private_folder(self.folder, also=self._other_owner)
        with self._locked() as lock, self.log.open("ab") as log:
            private_folder(self.socket_folder)
            self._prepare()
            self._guard = Guard(
                command=self._command(),
                options={"cwd": str(self.folder), **self._user()},
                log=log,
                lock=lock,
                remove=[self.socket_folder],
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._guard.has_ended or time.monotonic() > deadline:
                self.stop()
                raise DevServerError(f"{self.name} did not start; see {self.log}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server and wait until it is gone. Does nothing if it is not running."""
        if self._guard is not None:
            self._guard.end()
            self._guard = None
        shutil.rmtree(self.socket_folder, ignore_errors=True)  # it was not to be guarded yet

    def _locked(self) -> IO[bytes]:
        """Hold the folder, once the server of an earlier run that was killed has let go of it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        lock = os.fdopen(os.open(self._lock_file, flags, 0o600), "r+b")
        deadline = time.monotonic() + 2 * STOP_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            except BlockingIOError:
                if time.monotonic() > deadline:
                    pid = lock.read().decode()
                    lock.close()
                    text = f"{self.name} of an earlier run does not end: it is process {pid}"
                    raise DevServerError(text) from None
                time.sleep(0.02)

    def _prepare(self) -> None:  # noqa: B027  # not every server needs something
        """Make what the server needs at its first start."""

    def _user(self) -> dict[str, Any]:
        """Options of Popen that choose the user to run as."""
        return {}

    @abstractmethod
    def _command(self) -> list[str]:
        """The program and its arguments."""

    @abstractmethod
    def _answers(self) -> bool:
        """Tell whether the server is ready."""


def folder_of(package: str) -> Path:
    """Return where a wheel that brings programs is installed; the wheel itself is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise DevServerError(
            f"the package {package} is not installed: install the development dependencies "
            "with `uv sync`"
        )
    return Path(spec.submodule_search_locations[0])
