"""Starting a guard, see guard.py."""

import json
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

_PROGRAM = Path(__file__).with_name("guard.py")


class Guard:
    """A running guard."""

    def __init__(
        self,
        *,
        command: list[str] | None = None,
        options: dict[str, Any] | None = None,
        log: IO[bytes] | None = None,
        lock: IO[bytes] | None = None,
        remove: list[Path],
    ) -> None:
        """Start `command` with `options` of Popen; `remove` names the folders that go at its end.

        `lock` stays locked until the command has ended.
        """
        number = None if lock is None else lock.fileno()
        order = {
            "command": command or [],
            "options": options or {},
            "lock": number,
            "remove": [str(folder) for folder in remove],
        }
        self._process = subprocess.Popen(
            [sys.executable, "-IS", str(_PROGRAM), json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=() if number is None else (number,),
            start_new_session=True,  # Ctrl-C reaches us, and we end it when we are done with it
        )

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def end(self) -> None:
        """End the command, and wait until it is gone and the folders are."""
        self._process.communicate()
