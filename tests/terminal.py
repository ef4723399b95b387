"""A program as somebody runs it who sits at a terminal."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
from types import TracebackType
from typing import Self

import pytest

_LONGEST_WAIT = 60  # seconds; on a busy machine, an interpreter alone may take ten


class Terminal:
    """Runs a program on a terminal of its own, wide enough that no line wraps."""

    def __init__(self, *command: str) -> None:
        self._command = command
        self._shown = ""

    def __enter__(self) -> Self:
        self._process, self._terminal = pty.fork()
        if self._process == 0:
            os.execvp(self._command[0], self._command)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 500, 0, 0))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._terminal)
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)

    def wait_for(self, text: str) -> None:
        """Wait until the program shows a text after those that were waited for before."""
        while text not in self._shown:
            if not self._read():
                pytest.fail(f"it ended without {text!r}: {self._shown[-2000:]}")
        self._shown = self._shown.partition(text)[2]

    def wait_for_end(self) -> None:
        """Wait until the program has closed its terminal."""
        while self._read():
            pass

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def _read(self) -> bool:
        """Read what is shown next; whether there is more to come."""
        if not select.select([self._terminal], [], [], _LONGEST_WAIT)[0]:
            pytest.fail(f"nothing new is shown: {self._shown[-2000:]}")
        try:
            data = os.read(self._terminal, 65_536)
        except OSError:  # how Linux says that the other end is closed
            return False
        self._shown += data.decode(errors="replace")
        return bool(data)
