"""A trading service. Read `main.py` first: it is the table of contents."""

from .settings import Settings as Settings  # makes core's get_settings() return this service's class
