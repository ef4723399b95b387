"""A real PostgreSQL and a real Redis of one's own, for `dev` and for the tests.

Their programs come with the development dependencies. Each listens on a socket in a private
folder only: it takes no port, and nobody else on the machine can reach it. Each ends with the
process that started it.
"""

from .base import DevServer as DevServer
from .errors import DevServerError as DevServerError
from .folders import PASSABLE as PASSABLE
from .folders import private_folder as private_folder
from .folders import temporary_folder as temporary_folder
from .missing import missing_servers as missing_servers
from .postgres import Postgres as Postgres
from .redis import RedisServer as RedisServer
