"""The fixtures that the service's own tests have, and the load of the faults."""

import sys
from pathlib import Path

from tests.conftest import (  # noqa: F401
    database,
    demo,
    exchange,
    key_for,
    no_settings_around,
    server_folder,
    servers,
    session,
    settings,
    spare_database,
)
from tests.core.conftest import pgbouncer  # noqa: F401
from tests.core.database.conftest import migrations  # noqa: F401

sys.path.append(str(Path(__file__).parent.parent / "faults"))
