"""The command line: the commands of every service, and what a service's own need."""

from .application import create_cli as create_cli
from .running import fail as fail
from .running import or_fail as or_fail
from .running import settings_or_exit as settings_or_exit
from .running import with_session as with_session
from .running import with_transaction as with_transaction
from .tables import echo_table as echo_table
from .values import valid as valid
