"""The commands `strategy create|list|show|start|pause|resume|stop|params|performance|notes`.

A command imports what it works with when it is run, so that no other one waits for that.
"""

import typer

from .life import pause, resume, start, stop
from .looking import list_strategies, notes, performance, show
from .making import create, params

commands = typer.Typer(no_args_is_help=True, help="Strategies: what trades by itself.")
commands.command("create")(create)
commands.command("list")(list_strategies)
commands.command("show")(show)
commands.command("notes")(notes)
commands.command("performance")(performance)
commands.command("start")(start)
commands.command("pause")(pause)
commands.command("resume")(resume)
commands.command("stop")(stop)
commands.command("params")(params)
