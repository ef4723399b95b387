"""The errors of these servers."""


class DevServerError(Exception):
    """A server can't be started; the text says why and what to do."""
