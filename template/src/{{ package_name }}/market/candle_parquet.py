"""Candles in Parquet files, with the extra `parquet`: the same columns and rules as in CSV ones."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from .candle_files import COLUMNS, CandleFile, CandleFileError, Refusal, texts_of, understand
from .candles import Candles, Scale, Timeframe

_ROWS: Final = 50_000


class NoParquetError(RuntimeError):
    """The extra `parquet` is not installed."""


def _pyarrow() -> tuple[ModuleType, ModuleType]:
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise NoParquetError(
            "Parquet files need pyarrow: install this service with its extra `parquet`, as"
            " `uv sync --extra parquet` does; CSV files need nothing"
        ) from None


def read_parquet_file(path: Path, scale: Scale, timeframe: Timeframe) -> CandleFile:
    """Return the candles of a Parquet file. Rows are counted from 1, as the lines of a CSV are.

    A number with a binary fraction is taken for the shortest decimal that is the same to it. Raises
    NoParquetError, CandleFileError and OSError.
    """
    pyarrow, parquet = _pyarrow()
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            return understand(names, enumerate(_rows(file), 1), scale, timeframe)
    except pyarrow.ArrowException as error:
        raise CandleFileError([Refusal(1, f"the file can't be read: {error}")]) from error


def _rows(file: Any) -> Iterator[list[str]]:
    for batch in file.iter_batches(_ROWS):
        columns = (column.to_pylist() for column in batch.columns)
        for row in zip(*columns, strict=True):
            yield [_text(value) for value in row]


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def write_parquet(path: Path, candles: Iterable[Candles]) -> int:
    """Write candles in parts, and return how many: times in UTC, prices as decimals."""
    pyarrow, parquet = _pyarrow()
    amount = pyarrow.decimal128(38, 18)
    types = [pyarrow.timestamp("s", tz="UTC"), *[amount] * 5]
    schema = pyarrow.schema(list(zip(COLUMNS, types, strict=True)))
    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        for part in candles:
            texts = list(zip(*texts_of(part), strict=True))
            amounts = ([Decimal(text) for text in column] for column in texts[1:])
            columns = chain([part.open_time], amounts)
            arrays = [
                pyarrow.array(list(column), kind)
                for column, kind in zip(columns, types, strict=True)
            ]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))
            count += len(part)
    return count
