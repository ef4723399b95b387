from .application import create_cli as create_cli
from .running import or_fail as or_fail
from .running import settings_or_exit as settings_or_exit
from .running import with_session as with_session
