"""Drawing: an equity curve as SVG, without a script and without anything from elsewhere."""

from collections.abc import Sequence
from datetime import datetime
from html import escape

_WIDTH, _HEIGHT, _EDGE = 800, 240, 30
_STYLE = (
    "text{font:12px sans-serif;fill:#555}polyline{fill:none;stroke:#0a7;stroke-width:1.5}"
    "@media(prefers-color-scheme:dark){text{fill:#bbb}}"
)


def draw_equity(title: str, points: Sequence[tuple[datetime, float]]) -> str:
    """Return a picture of the points, oldest first; of none, one that says so."""
    shown = [f'<text x="{_EDGE}" y="18">{escape(title)}</text>']
    if points:
        values = [value for _, value in points]
        low, high = min(values), max(values)
        spots = " ".join(_spots(values, low, high))
        shown += [
            f'<polyline points="{spots}"/>',
            f'<text x="{_EDGE}" y="{_EDGE + 8}">{high:.2f}</text>',
            f'<text x="{_EDGE}" y="{_HEIGHT - _EDGE}">{low:.2f}</text>',
            f'<text x="{_EDGE}" y="{_HEIGHT - 8}">{_time(points[0][0])}</text>',
            f'<text x="{_WIDTH - _EDGE}" y="{_HEIGHT - 8}" text-anchor="end">'
            f"{_time(points[-1][0])}</text>",
        ]
    else:
        shown.append(f'<text x="{_EDGE}" y="{_HEIGHT // 2}">no candle has closed yet</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>{''.join(shown)}</svg>\n"
    )


def _spots(values: Sequence[float], low: float, high: float) -> list[str]:
    wide, tall = _WIDTH - 2 * _EDGE, _HEIGHT - 3 * _EDGE
    span, steps = (high - low) or 1.0, max(1, len(values) - 1)
    return [
        f"{_EDGE + wide * n / steps:.1f},{_EDGE * 1.5 + tall * (high - value) / span:.1f}"
        for n, value in enumerate(values)
    ]


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")
