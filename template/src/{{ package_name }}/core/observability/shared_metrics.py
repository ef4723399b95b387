"""The folder in which several processes share their metrics."""

import os
import sys
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_EX_CONFIG = 78  # of sysexits.h


def prepare_folder() -> None:
    """Make the folder that the environment names, if it is missing.

    Ends the process with a sentence where that can't be done: without the folder no metric can be
    made, and metrics are made on import.
    """
    folder = os.environ.get(VARIABLE)
    if folder is None:
        return
    if not folder.strip():  # prometheus-client would take the working directory
        del os.environ[VARIABLE]
        return
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(folder, os.W_OK | os.X_OK) else "Permission denied"
    except OSError as error:
        reason = str(error.strerror)
    if reason:
        sys.stderr.write(
            f"The configuration can't be used:\n  {VARIABLE}: is no folder to write metrics to: "
            f"{reason}; name another one, or unset it\n"
        )
        sys.exit(_EX_CONFIG)
