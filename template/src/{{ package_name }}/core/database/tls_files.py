"""The files that a connection with TLS looks for, and which of them is to blame."""

import os
from pathlib import Path

_FILES = {
    "PGSSLROOTCERT": "root.crt",
    "PGSSLCRL": "root.crl",
    "PGSSLKEY": "postgresql.key",
    "PGSSLCERT": "postgresql.crt",
}
"""By variable that names it: the file of `~/.postgresql` that is used otherwise."""


def unusable_tls_file() -> str:
    """Return the first file that asyncpg can't read, and what to do; "" if there is none.

    The error of a file that can't be read does not name it. Missing files count only where a
    variable names them.
    """
    for variable, name in _FILES.items():
        named = os.environ.get(variable)
        path = Path(named) if named else Path("~/.postgresql", name).expanduser()
        try:
            path.open("rb").close()
        except OSError as error:
            if named:
                return f"{variable} names {path}: {error.strerror}"
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                return (
                    f"{path}: {error.strerror}; set HOME to a folder that this user can read, or "
                    f"{variable} to a file"
                )
    return ""
