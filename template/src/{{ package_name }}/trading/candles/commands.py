"""The commands `candles fetch|import|export|gaps|resample`.

A command imports what it works with when it is run, so that no other one waits for that.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ...core.commands import echo_table, fail, settings_or_exit, valid, with_session
from ...market.candles import Timeframe

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from ...core.database.session import Database
    from ...market.candle_files import CandleFile, Refusal
    from ...market.candle_store import Stored
    from ...market.candles import Candles

ResultT = TypeVar("ResultT")
Advance = Callable[[int], None]

_REFUSALS = 50

commands = typer.Typer(no_args_is_help=True, help="Candles: prices of the past.")


def _symbol(text: str) -> Any:
    from ...market.words import Symbol

    return valid(Symbol)(text)


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no time, such as 2026-01-01 or 2026-01-01T12:00Z"
        ) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


SymbolOption = Annotated[
    str, typer.Option(parser=_symbol, metavar="SYMBOL", help="Of which instrument.")
]
LengthOption = Annotated[Timeframe, typer.Option("--timeframe", help="Length of the candles.")]
FromOption = Annotated[
    datetime | None,
    typer.Option("--from", parser=_moment, metavar="TIME", help="The first that opens then; UTC."),
]
ToOption = Annotated[
    datetime | None,
    typer.Option("--to", parser=_moment, metavar="TIME", help="Before this time; UTC."),
]
ReplaceOption = Annotated[
    bool, typer.Option("--replace", help="Replace stored candles with other values.")
]


@contextmanager
def _progress(what: str, total: int) -> Iterator[Advance]:
    """Show a bar while the block runs, on a terminal; yield what moves it."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    ) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)


def _with_database(work: Callable[[AsyncSession, Database], Awaitable[ResultT]]) -> ResultT:
    from ...core.database.session import Database

    async def run(session: AsyncSession) -> ResultT:
        database = Database(settings_or_exit())
        try:
            return await work(session, database)
        finally:
            await database.close()

    return with_session(run)


def _say(stored: Stored) -> None:
    typer.echo(f"{stored.inserted} new, {stored.equal} as stored, {stored.changed} replaced.")


@commands.command()
def fetch(
    symbol: SymbolOption,
    timeframe: LengthOption,
    start: Annotated[
        datetime,
        typer.Option(
            "--from", parser=_moment, metavar="TIME", help="The first that opens then; UTC."
        ),
    ],
    end: ToOption = None,
    source: Annotated[
        str | None, typer.Option(help="Name of the exchange; it has to be that of EXCHANGE.")
    ] = None,
) -> None:
    """Store candles that the exchange has; those that are stored already stay as they are."""
    from ...exchanges.client import VenueError
    from ...exchanges.factory import open_exchange
    from ...exchanges.settings import ExchangeSettings
    from ...market.candle_store import Stored
    from .fetching import fetch_candles

    settings = settings_or_exit()
    assert isinstance(settings, ExchangeSettings)
    if source not in (None, settings.exchange):
        fail(f"EXCHANGE is {settings.exchange}: candles of {source} would be mixed with its own")
    stop = min(end or datetime.now(UTC), datetime.now(UTC))
    total = max(0, (stop - start) // timeframe.length)

    async def work(_session: AsyncSession, database: Database) -> Stored:
        exchange = open_exchange(settings, database).client
        done = Stored()
        with _progress(f"{symbol} {timeframe}", total) as advance:
            async for part in fetch_candles(
                exchange, database.sessions, symbol, timeframe, start, stop
            ):
                done += part.stored
                advance(sum(part.stored))
        return done

    try:
        _say(_with_database(work))
    except VenueError as error:
        fail(f"The exchange does not answer: {error}. Run it again: what is stored stays")


@commands.command("import")
def import_file(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help=".csv, .csv.gz, .parquet")
    ],
    symbol: SymbolOption,
    timeframe: LengthOption,
    replace: ReplaceOption = False,
) -> None:
    """Store the candles of a file, or, if anything is wrong with it, none of them."""
    from ...core.database.transactions import transactional
    from ...market.candle_files import CandleFileError
    from ...market.candle_parquet import NoParquetError
    from ...market.candle_store import IMPORTED, Stored, scale_of, store_candles
    from ...market.instruments import get_instrument

    async def work(session: AsyncSession, database: Database) -> Stored:
        scale = scale_of(await get_instrument(database.sessions, symbol))
        found = _reader_of(file)(file, scale, timeframe)
        _say_how(found)
        if refused := _not_over(found.candles):
            raise CandleFileError(refused)
        done = Stored()
        async with transactional(session) as tx:
            with _progress(file.name, len(found.candles)) as advance:
                for begin in range(0, len(found.candles), _AT_ONCE):
                    part = found.candles[begin : begin + _AT_ONCE]
                    done += await store_candles(
                        tx, symbol, timeframe, part, IMPORTED, replace=replace
                    )
                    advance(len(part))
        return done

    try:
        _say(_with_database(work))
    except CandleFileError as error:
        _say_refused(error.refusals)
        fail(f"{file}: nothing is stored, {len(error.refusals)} lines are refused")
    except NoParquetError as error:
        fail(str(error))


_AT_ONCE = 5_000


def _reader_of(file: Path) -> Callable[..., CandleFile]:
    from ...market.candle_files import read_csv_file
    from ...market.candle_parquet import read_parquet_file

    return read_parquet_file if file.suffix == ".parquet" else read_csv_file


def _say_how(found: CandleFile) -> None:
    """Say how the file was understood."""
    renamed = [f"{own} is {theirs}" for own, theirs in found.columns.items() if own != theirs]
    if renamed:
        typer.echo(f"Columns: {', '.join(renamed)}.")
    if found.unit:
        typer.echo(f"Times are {found.unit}.")
    if found.repeated:
        typer.echo(f"{found.repeated} lines say again what another one has said.")
    if found.cut:
        typer.echo(f"Of {found.cut} volumes, whole lots are taken.")


def _not_over(candles: Candles) -> list[Refusal]:
    from ...market.candle_files import Refusal
    from ...market.candle_store import told

    if not candles or candles[-1].closed_at <= datetime.now(UTC):
        return []
    return [Refusal(0, f"the candle of {told(candles[-1].open_time)} has not ended yet")]


def _say_refused(refusals: Sequence[Refusal]) -> None:
    for line, reason in refusals[:_REFUSALS]:
        typer.echo(f"line {line}: {reason}" if line else reason, err=True)
    rest = [line for line, _ in refusals[_REFUSALS:]]
    if rest:
        typer.echo(f"and the lines {_ranges(rest)}", err=True)


def _ranges(lines: Sequence[int]) -> str:
    """`7-9, 12`"""
    ranges: list[list[int]] = []
    for line in lines:
        if ranges and line == ranges[-1][1] + 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)


@commands.command("export")
def export_file(
    file: Annotated[Path, typer.Argument(dir_okay=False, help=".csv, .csv.gz, .parquet")],
    symbol: SymbolOption,
    timeframe: LengthOption,
    start: FromOption = None,
    end: ToOption = None,
    force: Annotated[bool, typer.Option("--force", help="Write over the file.")] = False,
) -> None:
    """Write stored candles to a file."""
    from ...market.candle_files import write_csv
    from ...market.candle_parquet import NoParquetError, write_parquet
    from ...market.candle_store import read_candles, span_of

    if file.exists() and not force:
        fail(f"{file} exists; --force writes over it")

    async def work(session: AsyncSession, _database: Database) -> list[Candles]:
        span = await span_of(session, symbol, timeframe)
        first, last = _seconds(start, end)
        parts = []
        with _progress(f"{symbol} {timeframe}", span.size if span else 0) as advance:
            async for part in read_candles(session, symbol, timeframe, first, last):
                parts.append(part)
                advance(len(part))
        return parts

    write = write_parquet if file.suffix == ".parquet" else write_csv
    parts = _with_database(work)
    try:
        typer.echo(f"{write(file, parts)} candles are in {file}.")
    except NoParquetError as error:
        fail(str(error))


def _seconds(start: datetime | None, end: datetime | None) -> tuple[int, int]:
    now = datetime.now(UTC)
    return int(start.timestamp()) if start else 0, int((end or now).timestamp())


@commands.command()
def gaps(
    symbol: SymbolOption, timeframe: LengthOption, start: FromOption = None, end: ToOption = None
) -> None:
    """List the candles that are missing: from, to, how many, of how many the exchange has none."""
    from ...market.candle_gaps import find_gaps

    found = with_session(
        lambda session: find_gaps(session, symbol, timeframe, start, end, limit=_MOST_GAPS)
    )
    echo_table(
        *((gap.start.isoformat(), gap.end.isoformat(), gap.missing, gap.explained) for gap in found)
    )
    if len(found) == _MOST_GAPS:
        typer.echo(f"There may be more: `--from {found[-1].end.isoformat()}`", err=True)


_MOST_GAPS = 1_000


@commands.command()
def resample(
    symbol: SymbolOption,
    timeframe: LengthOption,
    into: Annotated[Timeframe, typer.Option(help="Length of the candles that are made.")],
    start: FromOption = None,
    end: ToOption = None,
    replace: ReplaceOption = False,
) -> None:
    """Make longer candles of stored ones, where none of those is missing."""
    from ...core.database.transactions import transactional
    from ...market.candle_buckets import RESAMPLED, resampled
    from ...market.candle_store import Stored, span_of, store_candles

    if into.seconds <= timeframe.seconds or into.seconds % timeframe.seconds:
        fail(f"{into} is no multiple of {timeframe}")

    async def work(session: AsyncSession, database: Database) -> Stored:
        done = Stored()
        span = await span_of(database.sessions, symbol, timeframe)
        if span is None:
            return done
        first, last = (int(at.timestamp()) for at in (start or span.first, end or span.last))
        last += 0 if end else timeframe.seconds
        step = _AT_ONCE * into.seconds
        begin = first // into.seconds * into.seconds
        async with transactional(session) as tx:
            with _progress(f"{symbol} {into}", max(0, last - begin)) as advance:
                for at in range(begin, last, step):
                    part = await resampled(
                        tx, symbol, timeframe, into, max(at, first), min(at + step, last)
                    )
                    done += await store_candles(tx, symbol, into, part, RESAMPLED, replace=replace)
                    advance(step)
        return done

    _say(_with_database(work))
