"""A backtest in a process of its own: `python -m <package>.backtests.worker FOLDER MEMORY`.

It finds the pickled request in the folder, puts the results beside it, and prints how many
candles are done. What goes wrong is the last line of stderr.
"""

import pickle
import sys
from pathlib import Path
from typing import Final, NamedTuple

from ..market.candles import Candles
from .engine import run_backtest
from .files import write_files
from .metrics import outcome_of
from .report import report_html
from .terms import Backtest

REQUEST: Final = "request.pickle"


class Request(NamedTuple):
    """A backtest, and the candles that it is on."""

    backtest: Backtest
    candles: Candles


def main(folder: Path, memory: int) -> None:
    """Run the request of the folder, with at most so many bytes of memory."""
    _limit_memory(memory)
    path = folder / REQUEST
    request: Request = pickle.loads(path.read_bytes())  # noqa: S301  # of the service itself
    path.unlink()
    _, strategy, config, _, terms = request.backtest
    run = run_backtest(request.candles, strategy, config, terms, _tell)
    outcome = outcome_of(run, request.candles, config.market.lot)
    page = report_html(request.backtest, outcome, request.candles)
    (folder / "report.html").write_text(page, "utf-8")
    write_files(folder, request.backtest, outcome, request.candles)


def _tell(done: int) -> None:
    sys.stdout.write(f"{done}\n")
    sys.stdout.flush()


def _limit_memory(size: int) -> None:
    if sys.platform != "linux":  # others have no such limit, or don't keep it
        return
    import resource  # noqa: PLC0415

    resource.setrlimit(resource.RLIMIT_AS, (size, size))


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]))
    except MemoryError:
        sys.exit("it needs more memory than BACKTEST_MEMORY allows")
