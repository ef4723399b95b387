"""`backtest sweep`"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

import typer

from .options import (
    Backend,
    By,
    Holdout,
    Jobs,
    Out,
    Vary,
    asked_first,
    progress,
    read_stored,
    refuse,
)

if TYPE_CHECKING:
    from pathlib import Path

    from ..asking import Asked
    from ..sweep import Try

_MOST_ROWS = 20


@asked_first
def run_sweep(
    asked: Asked,
    vary: Vary = None,
    holdout: Holdout = "0",
    by: By = "total_return",
    jobs: Jobs = -1,
    backend: Backend = None,
    out: Out = None,
) -> None:
    """Run a strategy with every combination of some settings, on all cores.

    Needs the extra `sweep`, unless with --jobs 1. The folder gets sweep.csv and, of two settings,
    heatmap.svg.
    """
    from ..asking import backtest_with, understand
    from ..sweep import METRICS, JoblibMissingError, combinations, sweep

    found = understand(asked)
    faults = found.faults
    if out is not None and out.exists() and not out.is_dir():
        faults.append(f"--out: {out} is a file, and no folder")
    if by not in METRICS:
        faults.append(f"--by: {by!r} is none of {', '.join(METRICS)}")
    if jobs == 0 or jobs < -1:
        faults.append("--jobs: a number of processes, or -1 for one a core")
    if backend == "dask" and jobs != -1:
        faults.append("--jobs: a cluster uses all that it has; leave it out with --backend dask")
    if asked.candles is None:
        read_stored(found)
    share = found.read("--holdout", holdout, _percent)
    varied = _varied(vary or (), found.given, faults)
    checked = [(combo, *backtest_with(asked, found, combo)) for combo in combinations(varied)]
    usable = [(combo, backtest) for combo, backtest, _ in checked if backtest is not None]
    refused = [each for _, backtest, said in checked if backtest is None for each in said]
    if not usable:
        faults += list(dict.fromkeys(refused))
    if faults or found.candles is None or share is None:
        refuse(faults)
    seen = len(found.candles) - round(len(found.candles) * share)
    if not seen:
        refuse(["--holdout leaves no candle to choose by"])
    shown, later = found.candles[:seen], found.candles[seen:]
    combos, backtests = zip(*usable, strict=True)
    with progress("Sweep", len(backtests)) as advance:
        try:
            with _backend(backend):
                tries = sweep(shown, backtests, held_out=later, jobs=jobs, on_progress=advance)
        except JoblibMissingError:
            refuse(
                [
                    "Several processes need the extra `sweep` (joblib): `uv sync --extra sweep`;"
                    " or --jobs 1"
                ]
            )
    _show_tries(combos, tries, by)
    if len(usable) < len(checked):
        count = len(checked) - len(usable)
        typer.echo(f"{count} combinations cannot be, such as: {refused[0]}", err=True)
    _warn(len(tries), has_later=bool(later))
    if out is not None:
        _write_sweep(out, combos, tries, varied)


def _percent(text: str) -> float:
    number = text.strip().removesuffix("%").strip()
    if not number.isascii() or not number.isdigit() or not int(number) < 100:
        raise ValueError(f"a share from 0% to 99% is wanted, such as 30%; {text!r} is none")
    return int(number) / 100


def _varied(texts: Sequence[str], given: dict[str, str], faults: list[str]) -> dict[str, list[str]]:
    from math import prod

    from ..sweep import MOST_TRIES, values_of

    varied: dict[str, list[str]] = {}
    if not texts:
        faults.append("--vary is missing: what is to be varied, such as rsi_length=10,14,21")
    for text in texts:
        name, is_there, values = text.partition("=")
        name = name.strip()
        if not is_there or not name:
            faults.append(f"--vary {text!r} is not NAME=VALUES")
        elif name in varied or name in given:
            faults.append(f"{name} is given twice, by --vary and --vary or --set")
        else:
            try:
                varied[name] = list(dict.fromkeys(values_of(values)))
            except ValueError as error:
                faults.append(f"--vary {name}: {error}")
    if (tries := prod(map(len, varied.values()))) > MOST_TRIES:
        faults.append(f"--vary: {tries:,} combinations are too many, {MOST_TRIES:,} are the most")
        return {}
    return varied


@contextmanager
def _backend(name: str | None) -> Iterator[None]:
    """Have joblib use another backend, where one was named."""
    with ExitStack() as used:
        if name is not None:
            _use(name, used)
        yield


def _use(name: str, used: ExitStack) -> None:
    """Begin to use a backend. Dask itself knows its cluster, or makes one of this machine."""
    from ..sweep import JoblibMissingError

    try:
        from joblib import parallel_config  # type: ignore[import-untyped]
    except ImportError:
        raise JoblibMissingError from None
    try:
        if name == "dask":
            used.enter_context(import_module("distributed").Client())
        used.enter_context(parallel_config(backend=name))
    except ModuleNotFoundError as error:
        package = error.name
        refuse([f"--backend {name} needs the package `{package}`: `uv pip install {package}`"])
    except (ValueError, OSError) as error:
        refuse([f"--backend: {error}"])


def _show_tries(combos: Sequence[dict[str, str]], tries: Sequence[Try], by: str) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from ..report import tries_of
    from ..sweep import rank

    order = rank(tries, by)
    heads, rows = tries_of([(combos[number], tries[number]) for number in order[:_MOST_ROWS]])
    title = f"{len(tries):,} tries, the best by {by} first"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in heads:
        table.add_column(name, justify="right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _warn(tries: int, *, has_later: bool) -> None:
    if tries < 2:
        return
    typer.echo(
        f"The best of {tries:,} tries is partly luck, and more so with more tries."
        + (
            " What counts is the part that was held out."
            if has_later
            else " --holdout 30% shows what is left of it on candles that it was not chosen by."
        ),
        err=True,
    )


def _write_sweep(
    out: Path,
    combos: Sequence[dict[str, str]],
    tries: Sequence[Try],
    varied: dict[str, list[str]],
) -> None:
    from ...strategies.drawing import standalone
    from ..heat import heat_map
    from ..report import css
    from ..sweep import sweep_csv

    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "sweep.csv").write_text(sweep_csv(combos, tries), "utf-8")
        if len(varied) == 2:
            picture = standalone(heat_map(combos, tries, varied), css())
            (out / "heatmap.svg").write_text(picture, "utf-8")
    except OSError as error:
        refuse([f"--out: {error.filename or out} cannot be written: {error.strerror}"])
    typer.echo(f"Every try: {out / 'sweep.csv'}")
