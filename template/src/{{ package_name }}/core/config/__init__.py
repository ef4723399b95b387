from .faults import faults_of as faults_of
from .settings import Settings as Settings
from .settings import get_settings as get_settings
from .settings import settings_class as settings_class
from .settings import settings_of_service as settings_of_service
