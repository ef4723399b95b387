"""`backtest run`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from .options import Out, asked_first, progress, read_stored, refuse

if TYPE_CHECKING:
    from pathlib import Path

    from ...market.candles import Candles
    from ..asking import Asked
    from ..metrics import Outcome
    from ..terms import Backtest


@asked_first
def run(asked: Asked, out: Out = None) -> None:
    """Run a strategy on candles: a summary here, and a report with its data in a folder.

    The folder gets report.html, equity.svg, drawdown.svg, price.svg, fills.csv, equity.csv and
    result.json.
    """
    from ..engine import run_backtest
    from ..metrics import outcome_of

    backtest, rows = _understood(asked, out)
    with progress("Backtest", len(rows)) as advance:
        done = run_backtest(rows, backtest.strategy, backtest.config, backtest.terms, advance)
    outcome = outcome_of(done, rows, backtest.config.market.lot)
    if out is not None:
        _write(out, backtest, outcome, rows)
    _summarize(backtest, outcome, rows)
    if out is not None:
        typer.echo(f"Report: {out / 'report.html'}")


def _understood(asked: Asked, out: Path | None) -> tuple[Backtest, Candles]:
    """Return the backtest and its candles; or say all that is wrong, and end with exit code 2."""
    from ..asking import UnusableError, backtest_of, gaps_of, understand

    found = understand(asked)
    if out is not None and out.exists() and not out.is_dir():
        found.faults.append(f"--out: {out} is a file, and no folder")
    if asked.candles is None:
        read_stored(found)
    try:
        backtest, candles = backtest_of(asked, found)
    except UnusableError as error:
        refuse(error.faults)
    if missing := gaps_of(candles):
        typer.echo(f"{missing:,} candles are missing in between; nothing is put there", err=True)
    needed = backtest.strategy.warm_up(backtest.config.params)
    if len(candles) <= needed:
        words = f"There are {len(candles)} candles: the strategy decides only after {needed}"
        typer.echo(words, err=True)
    return backtest, candles


def _write(out: Path, backtest: Backtest, outcome: Outcome, candles: Candles) -> None:
    from ..files import write_files
    from ..report import report_html

    try:
        out.mkdir(parents=True, exist_ok=True)
        write_files(out, backtest, outcome, candles)
        (out / "report.html").write_text(report_html(backtest, outcome, candles), "utf-8")
    except OSError as error:
        refuse([f"--out: {error.filename or out} cannot be written: {error.strerror}"])


def _summarize(backtest: Backtest, outcome: Outcome, candles: Candles) -> None:
    from rich.console import Console
    from rich.table import Table

    from ..report import summary

    market = backtest.config.market
    table = Table(
        title=f"{backtest.kind} on {market.symbol}, {backtest.timeframe}, {len(candles):,} candles",
        title_justify="left",
        show_header=False,
        min_width=46,
    )
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    for name, value, about, look in summary(outcome.metrics, market):
        style = {"gain": "green", "loss": "red"}.get(look)
        table.add_row(name, f"[{style}]{value}[/]" if style else value, about)
    Console().print(table)
    if outcome.run.paused:
        typer.echo(f"The strategy asked to be paused: {outcome.run.paused}")
    for code, count in outcome.run.closed.items():
        typer.echo(f"{count} orders were not taken: {code}")
