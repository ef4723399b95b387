"""A heat map: a metric over two settings, as SVG."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from .sweep import Try

_CELL: Final = (84, 34)
_LEFT: Final = 120
_TOP: Final = 64
_SHADES: Final = 9


def heat_map(
    combos: Sequence[Mapping[str, str]], tries: Sequence[Try], varied: Mapping[str, Sequence[str]]
) -> str:
    """Draw the return of each pair of values: the first setting downwards, the second across."""
    (down, rows), (across, columns) = varied.items()
    width, height = _CELL
    found = {
        (combo[down], combo[across]): float(each.metrics.total_return) * 100
        for combo, each in zip(combos, tries, strict=True)
    }
    largest = max(map(abs, found.values()), default=0.0) or 1.0
    size = f"0 0 {_LEFT + width * len(columns) + 16} {_TOP + height * len(rows) + 16}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="{size}" role="img">',
        f"<title>Return in % by {escape(down)} and {escape(across)}</title>",
        f'<text class="axis" x="{_LEFT}" y="22">Return in %: {escape(across)} across, '
        f"{escape(down)} down</text>",
    ]
    for place, value in enumerate(columns):
        x = _LEFT + place * width + width // 2
        parts.append(f'<text class="axis mid" x="{x}" y="{_TOP - 10}">{escape(value)}</text>')
    for row, first in enumerate(rows):
        y = _TOP + row * height
        middle = y + height // 2 + 4
        parts.append(f'<text class="axis end" x="{_LEFT - 10}" y="{middle}">{escape(first)}</text>')
        for place, second in enumerate(columns):
            percent = found.get((first, second))
            if percent is None:
                continue
            shade = round(abs(percent) / largest * _SHADES)
            look = "gain" if percent >= 0 else "loss"
            x = _LEFT + place * width
            parts.append(
                f'<rect class="heat {look} shade{shade}" x="{x}" y="{y}" width="{width - 2}"'
                f' height="{height - 2}"><title>{escape(down)} {escape(first)}, {escape(across)}'
                f" {escape(second)}</title></rect>"
                f'<text class="cell mid" x="{x + width // 2 - 1}" y="{middle}">'
                f"{percent:+.2f}</text>"
            )
    return "".join([*parts, "</svg>"])
