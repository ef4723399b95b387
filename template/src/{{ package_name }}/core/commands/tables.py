"""Rows of text."""

from collections.abc import Sequence

import typer


def echo_table(*rows: Sequence[object]) -> None:
    """Print rows as columns that are as wide as they have to be."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        typer.echo("  ".join(cells).rstrip())
