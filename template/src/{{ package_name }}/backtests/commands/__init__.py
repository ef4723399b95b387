"""The commands of backtests: run · sweep.

They need no database, no Redis and no environment. A command imports what it works with when it
is run, so that no other one waits for that.
"""

import typer

from .run import run
from .sweep import run_sweep

backtest_commands = typer.Typer(no_args_is_help=True, help="Strategies on candles of the past.")
backtest_commands.command("run")(run)
backtest_commands.command("sweep")(run_sweep)
