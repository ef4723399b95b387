"""The ground that every service of ours stands on.

These modules come from the template: improve them there, and `copier update` brings the fix
to every service. Nothing in here imports anything of the service around it.
"""

from .observability.shared_metrics import prepare_folder

# Before anything of core makes a metric: prometheus-client opens a file in that folder for each.
prepare_folder()
