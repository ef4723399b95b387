"""A trading service. Read `main.py` first: it is the table of contents."""

from .core.process.garbage import importing
from .core.process.process_one import end_on_signals

end_on_signals()

# Loaded with the package, so that core's get_settings() returns this service's own class.
with importing():  # it takes long
    from .settings import Settings as Settings
