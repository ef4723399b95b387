"""Options of the commands of backtests, and how these speak."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from inspect import Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from ..asking import Asked, Understood

Kind = Annotated[str, typer.Argument(metavar="KIND", help="Kind of strategy, such as grid.")]
CandleFile = Annotated[
    str | None,
    typer.Option("--candles", metavar="FILE", help="CSV, plain or .gz; else --from and --to."),
]
Symbol = Annotated[str | None, typer.Option(metavar="SYMBOL", help="Such as BTC-USDT.")]
TimeframeName = Annotated[
    str | None, typer.Option("--timeframe", metavar="TIME", help="1m 3m 5m 15m 30m 1h 4h or 1d.")
]
Cash = Annotated[str | None, typer.Option(metavar="AMOUNT", help="Quote currency at the start.")]
Base = Annotated[str, typer.Option(metavar="AMOUNT", help="Base currency at the start.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A setting of the strategy; again for more."),
]
Tick = Annotated[str | None, typer.Option(metavar="AMOUNT", help="Prices are multiples of it.")]
Lot = Annotated[str | None, typer.Option(metavar="AMOUNT", help="Quantities are multiples of it.")]
MinNotional = Annotated[
    str | None, typer.Option(metavar="AMOUNT", help="Least quantity x price of an order.")
]
Maker = Annotated[str, typer.Option(metavar="SHARE", help="Fee of an order that waited.")]
Taker = Annotated[str, typer.Option(metavar="SHARE", help="Fee of an order that did not.")]
SpreadPpm = Annotated[
    str, typer.Option(metavar="N", help="Bid and ask are N millionths of the price apart.")
]
MaxParticipation = Annotated[
    str, typer.Option(metavar="SHARE", help="Of a candle's volume so much is filled at most.")
]
Begin = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="First candle, such as 2026-01-31.")
]
End = Annotated[str | None, typer.Option("--to", metavar="TIME", help="End, without it.")]
Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder for the report and its data.")
]


Vary = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUES",
        help="A setting to vary: 10,14,21 or FROM:TO:STEP; again for another.",
    ),
]
Jobs = Annotated[int, typer.Option(metavar="N", help="Processes; -1 is one a core.")]
Backend = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Backend of joblib, such as dask; else own processes."),
]
Holdout = Annotated[
    str, typer.Option(metavar="PERCENT", help="Last part of the candles, not used to choose.")
]
By = Annotated[str, typer.Option(metavar="METRIC", help="What the table is sorted by.")]


def _asked(
    kind: Kind,
    candles: CandleFile = None,
    symbol: Symbol = None,
    timeframe: TimeframeName = None,
    cash: Cash = None,
    base: Base = "0",
    settings: Settings = None,
    begin: Begin = None,
    end: End = None,
    tick: Tick = None,
    lot: Lot = None,
    min_notional: MinNotional = None,
    maker: Maker = "0.0008",
    taker: Taker = "0.001",
    spread_ppm: SpreadPpm = "100",
    max_participation: MaxParticipation = "0.1",
) -> Asked:
    from ..asking import Asked

    return Asked(
        kind=kind,
        symbol=symbol,
        timeframe=timeframe,
        cash=cash,
        settings=settings or (),
        candles=candles,
        base=base,
        tick=tick,
        lot=lot,
        min_notional=min_notional,
        maker=maker,
        taker=taker,
        spread_ppm=spread_ppm,
        max_participation=max_participation,
        begin=begin,
        end=end,
    )


def asked_first(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that describe a backtest, as one argument before its own."""
    later = {"Asked": object}  # what is asked is imported when a command is run
    shared = signature(_asked, eval_str=True, locals=later).parameters
    _, *own = signature(command, eval_str=True, locals=later).parameters.values()

    @wraps(command)
    def with_options(**typed: Any) -> None:
        asked = _asked(**{name: typed.pop(name) for name in shared})
        command(asked, **typed)

    options = [*shared.values(), *own]
    with_options.__signature__ = Signature(options)  # type: ignore[attr-defined]  # Typer reads it
    with_options.__annotations__ = {option.name: option.annotation for option in options}
    return with_options


def refuse(faults: Sequence[str]) -> NoReturn:
    """Say all that is wrong, a line each, and end the process with exit code 2."""
    for fault in faults:
        typer.echo(fault, err=True)
    raise typer.Exit(2)


@contextmanager
def progress(words: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal, and nothing anywhere else."""
    from rich.console import Console
    from rich.progress import Progress

    is_shown = sys.stderr.isatty()
    with Progress(console=Console(stderr=True), transient=True, disable=not is_shown) as bar:
        task = bar.add_task(words, total=total)
        yield lambda done: bar.update(task, completed=done)


def read_stored(found: Understood) -> None:
    """Read the candles of the span out of the store, where no file was named."""
    from ...core.commands import with_session
    from ...market.candle_store import read_candles
    from ...market.candles import Candles, Scale

    market, timeframe, (begin, end) = found.market, found.timeframe, found.span
    if found.faults or market is None or timeframe is None or begin is None or end is None:
        return
    whole = Candles(Scale(market.tick, market.lot), timeframe.seconds)

    async def read(session: AsyncSession) -> None:
        async for part in read_candles(session, market.symbol, timeframe, begin, end):
            if part.scale != whole.scale:
                found.faults.append(
                    f"--tick and --lot: {market.symbol} has {part.scale.tick:f} and"
                    f" {part.scale.lot:f} here"
                )
                return
            for column, more in zip(whole.columns, part.columns, strict=True):
                column.extend(more)

    with_session(read)
    if whole:
        found.candles = whole
    elif not found.faults:
        found.faults.append(
            f"no candle of {market.symbol} {timeframe} is stored from --from to --to:"
            " `candles fetch` or `candles import` stores some"
        )
