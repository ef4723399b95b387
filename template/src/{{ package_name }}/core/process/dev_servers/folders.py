"""Folders that are ours alone."""

import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import DevServerError
from .guarding import Guard

PASSABLE = 0o711 if os.geteuid() == 0 else 0o700
"""The mode of a folder above PostgreSQL's, which does not run as root."""


def private_folder(folder: Path, mode: int = 0o700, also: int | None = None) -> None:
    """Create a folder for us alone, or make sure that an existing one is.

    Where others can write, they could have put a link in our way: what we then write, remove or
    give away would be what it leads to. `also` is the id of a user who may own the folder, too.
    Raises DevServerError.
    """
    with suppress(FileExistsError):
        folder.mkdir(mode)
    found = folder.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise DevServerError(f"{folder} is a link, which may lead anywhere; remove it")
    if not stat.S_ISDIR(found.st_mode):
        raise DevServerError(f"{folder} is no folder; remove it")
    if found.st_uid not in (os.geteuid(), also):
        raise DevServerError(f"{folder} belongs to another user (id {found.st_uid}); remove it")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise DevServerError(f"other users may write to {folder}: remove it, or `chmod go-w` it")


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Create a folder that is gone after the block, also if this process is killed in it."""
    folder = Path(tempfile.mkdtemp(prefix="devserver-"))
    folder.chmod(PASSABLE)
    guard = Guard(remove=[folder])
    try:
        yield folder
    finally:
        guard.end()


def make_passable(folder: Path) -> None:
    """Let other users pass through a folder and those above it, and say so where they could not."""
    resolved = folder.resolve()
    for step in (resolved, *resolved.parents):
        mode = step.stat().st_mode
        if not mode & stat.S_IXOTH:
            step.chmod(mode | stat.S_IXOTH)
            why = "since PostgreSQL runs as nobody"
            sys.stderr.write(f"made {step} passable (chmod o+x), {why}\n")
