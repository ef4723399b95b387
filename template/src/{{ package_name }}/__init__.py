"""A trading service. Read `main.py` first: it is the table of contents."""

# Loaded with the package, so that core's get_settings() returns this service's own class.
from .settings import Settings as Settings
