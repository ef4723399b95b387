"""PostgreSQL and Redis for a benchmark, of its own."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from trading_service.core.process.dev_servers import missing_servers
from trading_service.settings import Settings


@contextmanager
def servers() -> Iterator[Path]:
    """Start what the environment does not name, put it there, and yield an empty folder."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as cleanup:
        Path(folder).chmod(0o711)  # PostgreSQL is not root
        for server in missing_servers(Settings(_env_file=None), Path(folder)):
            cleanup.callback(server.stop)
            server.start()
            os.environ.update(server.environment)
        yield Path(folder)
