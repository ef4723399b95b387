"""A small disk of memory, which nobody but this process and what it starts can see."""

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_NEW_MOUNTS, _NEW_USERS = 0x00020000, 0x10000000
_RECURSIVE, _PRIVATE = 0x4000, 1 << 18


def mounts_of_our_own() -> str:
    """Have this process see its own mounts from now on; return why it can't, "" if it can."""
    user, group = os.geteuid(), os.getegid()
    try:
        _call("unshare", _NEW_MOUNTS | (_NEW_USERS if user else 0))
        if user:  # who may mount is root of other users then, and stays who it is in these files
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        _call("mount", b"none", b"/", None, _RECURSIVE | _PRIVATE, None)
    except (OSError, AttributeError) as error:  # a system without these calls, too
        return f"no right to mount: {error}"
    return ""


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """Have a folder be on a disk of that size, such as "64m", within the block."""
    _call("mount", b"tmpfs", bytes(folder), b"tmpfs", 0, f"size={size},mode=0700".encode())
    try:
        yield
    finally:
        _call("umount2", bytes(folder), 0)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Take all the room that the disk of a folder has, within the block."""
    file = folder / "filling"
    with file.open("wb", buffering=0) as filling:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    filling.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    try:
        yield
    finally:
        file.unlink()


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
