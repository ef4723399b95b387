"""Drawing: lines, areas and markers as SVG, without style but by classes.

Colors are those of `chart_css`, in the page or where `standalone` adds them: a page may forbid
every inline style.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from html import escape
from importlib.resources import files
from math import floor, log10
from typing import Final, NamedTuple

WIDTH: Final = 1040
_LEFT: Final = 76
_RIGHT: Final = 14
_TOP: Final = 14
_BOTTOM: Final = 26
_HALF_LABEL: Final = 22
_MOST_POINTS: Final = 1000

_TIME_STEPS: Final = tuple(
    step * unit
    for unit, steps in (
        (60, (5, 15, 30)),
        (3600, (1, 3, 6, 12)),
        (86_400, (1, 2, 5, 7, 14, 30, 61, 91, 183, 365, 730, 1826)),
    )
    for step in steps
)


class Point(NamedTuple):
    """A value at a time, in seconds since 1970."""

    at: int
    value: float


class Marker(NamedTuple):
    """A fill: where it is, the class of its look, and what is said of it."""

    at: int
    value: float
    look: str
    title: str


class Chart:
    """A picture with a time axis and an axis of values. What is added first lies below."""

    def __init__(
        self, title: str, begin: int, end: int, low: float, high: float, *, height: int = 280
    ) -> None:
        self._title = title
        self._begin, self._end = begin, max(end, begin + 1)
        padding = (high - low) * 0.05 or abs(high) * 0.01 or 1.0
        self._low, self._high = low - padding, high + padding
        if low == 0 or high == 0:  # an axis that begins at 0 ends there
            self._low, self._high = min(low, self._low, 0.0) if low else 0.0, self._high
            self._high = self._high if high else 0.0
        self._height = height
        self._parts: list[str] = []

    def axes(self, unit: str = "") -> None:
        """Draw lines at round values and times, with their words."""
        right, bottom = WIDTH - _RIGHT, self._height - _BOTTOM
        step = _round_step((self._high - self._low) * 40 / self._height)
        decimals = max(0, -floor(log10(step) + 1e-9))
        value = -floor(-self._low / step) * step
        while value <= self._high + step * 1e-9:
            y = self._y(value)
            text = f"{value:,.{decimals}f}{unit}".replace("-0" + unit, "0" + unit)
            self._parts.append(f'<path class="rule" d="M{_LEFT} {y:.1f}H{right}"/>')
            self._parts.append(
                f'<text class="axis end" x="{_LEFT - 8}" y="{y + 4:.1f}">{text}</text>'
            )
            value += step
        for at, text in _time_marks(self._begin, self._end):
            x = self._x(at)
            look = "axis mid" if x + _HALF_LABEL < WIDTH else "axis end"
            self._parts.append(f'<path class="tick" d="M{x:.1f} {bottom}v4"/>')
            self._parts.append(f'<text class="{look}" x="{x:.1f}" y="{bottom + 18}">{text}</text>')

    def line(self, points: Sequence[Point], look: str) -> None:
        self._parts.append(f'<path class="line {look}" d="M{self._path(thin(points))}"/>')

    def area(self, points: Sequence[Point], look: str, base: float = 0.0) -> None:
        """Draw a line, and fill what is between it and `base`."""
        few = thin(points)
        y = self._y(base)
        first, last = self._x(few[0].at), self._x(few[-1].at)
        path = f"M{first:.1f} {y:.1f}L{self._path(few)}L{last:.1f} {y:.1f}Z"
        self._parts.append(f'<path class="area {look}" d="{path}"/>')
        self.line(points, look)

    def markers(self, markers: Sequence[Marker]) -> None:
        """Draw triangles: one that buys points up, from below; one that sells down, from above."""
        for marker in markers:
            x, y = self._x(marker.at), self._y(marker.value)
            sign = 1 if marker.look == "buy" else -1
            path = f"M{x:.1f} {y + 2 * sign:.1f}l4.5 {8 * sign}h-9z"
            self._parts.append(
                f'<path class="mark {marker.look}" d="{path}"><title>{marker.title}</title></path>'
            )

    def words(self, text: str) -> None:
        """Write some words in the middle: why there is nothing to see."""
        place = f'x="{WIDTH // 2}" y="{self._height // 2}"'
        self._parts.append(f'<text class="axis mid" {place}>{escape(text)}</text>')

    def svg(self) -> str:
        size = f"0 0 {WIDTH} {self._height}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="{size}" role="img">'
            f"<title>{escape(self._title)}</title>{''.join(self._parts)}</svg>"
        )

    def _path(self, points: Sequence[Point]) -> str:
        return "L".join(f"{self._x(at):.1f} {self._y(value):.1f}" for at, value in points)

    def _x(self, at: float) -> float:
        share = (at - self._begin) / (self._end - self._begin)
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def _y(self, value: float) -> float:
        share = (self._high - value) / (self._high - self._low)
        return _TOP + share * (self._height - _TOP - _BOTTOM)


def thin(points: Sequence[Point], most: int = _MOST_POINTS) -> Sequence[Point]:
    """Return at most so many points: of each stretch the lowest and the highest."""
    if len(points) <= most:
        return points
    few: list[Point] = [points[0]]
    stretches = (most - 2) // 2
    inner = len(points) - 2
    for number in range(stretches):
        stretch = points[1 + number * inner // stretches : 1 + (number + 1) * inner // stretches]
        lowest = min(stretch, key=lambda point: point.value)
        highest = max(stretch, key=lambda point: point.value)
        few += sorted({lowest, highest})
    return [*few, points[-1]]


@cache
def chart_css() -> str:
    """Return the style of charts, light and dark."""
    return files(__package__).joinpath("drawing.css").read_text("utf-8")


def standalone(svg: str, css: str) -> str:
    """Return the picture as a file of its own, with the style that a page would have."""
    head, tag, rest = svg.partition("<title>")
    return f"{head}<style>{css}</style>{tag}{rest}\n"


def _round_step(least: float) -> float:
    """Return the next larger of 1, 2, 2.5, 5, 10, 20, …"""
    power: float = 10.0 ** floor(log10(least)) if least > 0 else 1.0
    return next((power * m for m in (1, 2, 2.5, 5, 10) if power * m >= least), power * 10)


def _time_marks(begin: int, end: int) -> list[tuple[int, str]]:
    step = next((step for step in _TIME_STEPS if (end - begin) / step <= 8), _TIME_STEPS[-1])
    form = "%d %b %H:%M" if step < 86_400 else "%d %b" if step < 30 * 86_400 else "%b %Y"
    first = -(-begin // step) * step
    return [
        (at, datetime.fromtimestamp(at, UTC).strftime(form)) for at in range(first, end + 1, step)
    ]
