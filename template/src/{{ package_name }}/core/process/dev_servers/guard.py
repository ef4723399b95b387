"""A process between us and a server, which ends the server when we are gone, however we ended.

Our standard input is a pipe from the process that started us. When that is closed (on purpose, or
by the kernel, because that process was killed), the server is ended and its folders are removed.

Run as a program, on the standard library alone: `python -IS guard.py JSON`.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

STOP_SECONDS = 10


def main(command: list[str], options: dict[str, Any], lock: int | None, remove: list[str]) -> int:
    """Run `command`, if there is one, until it or our owner ends; return its exit code."""
    code = 0
    if command:
        code = _run(command, options, lock)
    else:
        sys.stdin.buffer.read()
    for folder in remove:
        _remove(Path(folder))
    return code


def _run(command: list[str], options: dict[str, Any], lock: int | None) -> int:
    # The server holds the lock as well: it is ours for as long as either of us runs.
    locks = () if lock is None else (lock,)
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=locks, **options)
    signal.signal(signal.SIGTERM, lambda *_: server.send_signal(signal.SIGINT))
    for number in locks:
        os.ftruncate(number, 0)
        os.pwrite(number, str(server.pid).encode(), 0)
    threading.Thread(target=_end_with_owner, args=(server,), daemon=True).start()
    return server.wait()


def _end_with_owner(server: "subprocess.Popen[bytes]") -> None:
    sys.stdin.buffer.read()
    server.send_signal(signal.SIGINT)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()


def _remove(folder: Path) -> None:
    """Remove a folder, after the servers whose data is in it have ended."""
    for lock in folder.rglob("*.lock"):
        with lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(**json.loads(sys.argv[1])))
