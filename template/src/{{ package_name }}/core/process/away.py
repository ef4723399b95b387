"""Errors that say of a server only that it is away."""

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

_AWAY = (
    *(OSError, OperationalError, InterfaceError, PoolTimeoutError),
    *(RedisConnectionError, RedisTimeoutError),
)


def is_away(error: BaseException) -> bool:
    """Tell whether a server is away, and a traceback would say nothing more.

    What PostgreSQL says of its start, its end and its limits is DBAPIError, and none of its kinds.
    """
    return isinstance(error, _AWAY) or type(error) is DBAPIError
