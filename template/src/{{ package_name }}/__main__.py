"""`python -m` this package: the command line, as a debugger wants to start it."""

from . import project
from .cli import cli

cli(prog_name=project.SLUG)
