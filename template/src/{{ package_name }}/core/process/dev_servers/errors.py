"""What can go wrong."""


class DevServerError(Exception):
    """A server can't be started; the text says why and what to do."""
