"""The files that asyncpg reads before it connects with TLS."""

import os
from pathlib import Path

_FILES = {
    "PGSSLROOTCERT": "root.crt",
    "PGSSLCRL": "root.crl",
    "PGSSLKEY": "postgresql.key",
    "PGSSLCERT": "postgresql.crt",
}
"""The file of `~/.postgresql` that is used otherwise, by the variable that names another."""


def file_to_blame(error: OSError) -> str:
    """Return the file that asyncpg could not read, and what to do; "" if it was none of these.

    asyncpg's error does not name it. A file of `~/.postgresql` may be missing.
    """
    for variable, name in _FILES.items():
        named = os.environ.get(variable)
        path = Path(named) if named else Path("~/.postgresql", name).expanduser()
        reason = _why_unreadable(path)
        if reason is None or reason.errno != error.errno:
            continue
        if named:
            return f"{variable} names {path}: {reason.strerror}"
        if not isinstance(reason, FileNotFoundError | NotADirectoryError):
            return f"{path}: {reason.strerror}; set HOME to a folder that this user can read"
    return ""


def _why_unreadable(path: Path) -> OSError | None:
    try:
        path.open("rb").close()
    except OSError as error:
        return error
    return None
