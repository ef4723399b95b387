"""The report: one HTML page that needs nothing else, and allows nothing else.

Its policy forbids scripts and everything from outside; its one style is named there by its digest.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any, Final

from ..market.candles import Candles
from ..market.money import plain
from ..strategies.cycles import Cycle
from ..strategies.drawing import chart_css
from ..strategies.strategy import Market
from .files import result_of
from .metrics import Metrics, Outcome
from .pictures import drawdown_picture, equity_picture, price_picture
from .sweep import Try
from .terms import Backtest

_MOST_CYCLES: Final = 500
_NONE: Final = "\u2013"
_MINUS: Final = "\u2212"


@cache
def css() -> str:
    """Return the style of the report and of its pictures."""
    return chart_css() + files(__package__).joinpath("style.css").read_text("utf-8")


@cache
def policy() -> str:
    """Return the Content-Security-Policy of the report: its own style, and nothing else."""
    digest = b64encode(sha256(css().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def report_html(backtest: Backtest, outcome: Outcome, candles: Candles) -> str:
    """Return the whole page."""
    result = result_of(backtest, outcome, candles)
    metrics, market = outcome.metrics, backtest.config.market
    title = f"{backtest.strategy.title} on {market.symbol}, {backtest.timeframe}"
    first, last = (_day(result[name]) for name in ("from", "to"))
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy()}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Backtest: {escape(title)}</title><style>{css()}</style></head><body><main>",
        f"<header><div><h1>{escape(backtest.strategy.title)}</h1>",
        f"<p>{escape(market.symbol)} · {backtest.timeframe} · {first} to {last}"
        f" · {len(candles):,} candles</p></div>",
        f'<div class="sum"><b class="{_look(metrics.total_return)}">'
        f"{_percent(metrics.total_return, signed=True)}</b>",
        f"<p>{_amount(metrics.start_equity)} → {_amount(metrics.final_equity)}"
        f" {escape(market.quote_currency)}</p></div></header>",
        _tiles(metrics, market),
        "<h2>Equity</h2>",
        _figure(
            equity_picture(outcome, candles), ("", "Strategy"), ("hold", "Buy and hold, no fees")
        ),
        _figure(drawdown_picture(outcome, candles), ("fall", "Drawdown")),
        "<h2>Price and fills</h2>",
        _figure(
            price_picture(outcome, candles),
            ("price", "Close"),
            ("bought", "Bought"),
            ("sold", "Sold"),
        ),
        "<h2>Cycles</h2>",
        _cycles(outcome.cycles, market.quote_currency),
        "<h2>State at the end</h2>",
        _status(result["status"]),
        "<h2>Parameters</h2>",
        _pairs(result["params"]),
        "<h2>Terms</h2>",
        _pairs(result["terms"]),
        "<h2>Decisions</h2>",
        _pairs(
            {"orders": result["orders"], "paused": result["paused"]}
            | {f"not filled: {code}": count for code, count in result["closed_unfilled"].items()}
            | {f"note: {kind}": count for kind, count in result["notes"].items()}
        ),
        "<footer><p>What was decided at a candle's close was done at the next open. Fills are at"
        " bid and ask, never better than the order's own price, and of a candle's volume at most"
        f" {_percent(backtest.terms.max_participation)}. Not modelled: the queue at a price, and"
        " what own orders do to later prices. Past prices promise nothing.</p>"
        f"<p>Fills: sha256 {result['fills_sha256']}</p></footer>",
        "</main></body></html>\n",
    ]
    return "\n".join(parts)


# --- Parts ---------------------------------------------------------------------------------------


def summary(metrics: Metrics, market: Market) -> list[tuple[str, str, str, str]]:
    """Return each metric for a person: name, value, what it is of, and `gain` or `loss`."""
    quote, base = market.quote_currency, market.base_currency
    hold = _percent(metrics.buy_and_hold, signed=True)
    return [
        ("Final equity", _amount(metrics.final_equity), quote, ""),
        ("Return", _percent(metrics.total_return, signed=True), "", _look(metrics.total_return)),
        ("Buy and hold", hold, "without fees", _look(metrics.buy_and_hold)),
        ("Max drawdown", _percent(-metrics.max_drawdown), "from the highest before", ""),
        ("Sharpe", _number(metrics.sharpe), "daily, 365 days a year", ""),
        ("Win rate", _percent(metrics.win_rate), f"{metrics.wins} of {metrics.cycles} cycles", ""),
        ("Profit factor", _number(metrics.profit_factor), "gains / losses", ""),
        ("Fees", _amount(metrics.fees), quote, ""),
        ("Fills", f"{metrics.fills:,}", f"{metrics.cycles:,} cycles closed", ""),
        ("Best cycle", _signed(metrics.best), quote, _look(metrics.best)),
        ("Worst cycle", _signed(metrics.worst), quote, _look(metrics.worst)),
        ("Average hold", _duration(metrics.average_hold), "", ""),
        ("Exposure", _percent(metrics.exposure), "candles with a position", ""),
        ("Cash at the end", _amount(metrics.final_quote), quote, ""),
        ("Held at the end", plain(metrics.final_base) if metrics.final_base else "0", base, ""),
    ]


def tries_of(
    tried: Sequence[tuple[Mapping[str, str], Try]],
) -> tuple[list[str], list[list[str]]]:
    """Return the heads and the rows of a table of tries, for a person."""
    has_later = any(each.held_out for _, each in tried)
    heads = [*(tried[0][0] if tried else ()), "return", "drawdown", "sharpe", "won", "fills"]
    heads += ["held out", "sharpe"] if has_later else []
    rows = []
    for combo, (metrics, later, _) in tried:
        row = [*combo.values(), _percent(metrics.total_return, signed=True)]
        row += [_percent(-metrics.max_drawdown), _number(metrics.sharpe)]
        row += [_percent(metrics.win_rate), f"{metrics.fills:,}"]
        if later:
            row += [_percent(later.total_return, signed=True), _number(later.sharpe)]
        rows.append(row)
    return heads, rows


def _tiles(metrics: Metrics, market: Market) -> str:
    cells = (
        f'<div><span>{name}</span><b class="{look}">{value}</b><small>{escape(about)}</small></div>'
        for name, value, about, look in summary(metrics, market)
    )
    return f'<section class="tiles">{"".join(cells)}</section>'


def _figure(svg: str, *keys: tuple[str, str]) -> str:
    words = "".join(f'<span class="key {look}">{text}</span>' for look, text in keys)
    return f"<figure><figcaption>{words}</figcaption>{svg}</figure>"


def _cycles(cycles: Sequence[Cycle], quote: str) -> str:
    if not cycles:
        return "<p>Nothing was bought.</p>"
    rows = [
        (
            str(number),
            _minute(cycle.opened_at),
            "open" if cycle.closed_at is None else _minute(cycle.closed_at),
            "" if cycle.closed_at is None else _duration(cycle.closed_at - cycle.opened_at),
            str(cycle.fills),
            plain(cycle.qty),
            f"{cycle.price:,.2f}",
            f'<span class="{_look(cycle.profit)}">{_signed(cycle.profit)}</span>'
            if cycle.closed_at is not None
            else "",
            escape(cycle.ended_by),
        )
        for number, cycle in enumerate(cycles, 1)
    ]
    head = ("", "opened", "closed", "held", "fills", "bought", "average", f"profit {quote}", "last")
    more = len(rows) - _MOST_CYCLES
    left_out = f"<p>The first {more:,} cycles are left out.</p>" if more > 0 else ""
    return left_out + _table(head, rows[-_MOST_CYCLES:])


def _status(status: Mapping[str, Any]) -> str:
    """Show what a strategy says of itself: values, and its lists as tables."""
    lists = {
        name: value
        for name, value in status.items()
        if isinstance(value, list) and value and isinstance(value[0], dict)
    }
    rest = {name: value for name, value in status.items() if name not in lists}
    tables = (
        _table(tuple(rows[0]), [tuple(escape(_text(v)) for v in row.values()) for row in rows])
        for rows in lists.values()
    )
    titled = zip(lists, tables, strict=True)
    return _pairs(_flat(rest)) + "".join(f"<h2>{escape(name)}</h2>{rows}" for name, rows in titled)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    table = f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll">{table}</div>'


def _pairs(values: Mapping[str, Any]) -> str:
    pairs = (
        f"<div><dt>{escape(str(name))}</dt><dd>{escape(_text(value))}</dd></div>"
        for name, value in values.items()
    )
    return f'<dl class="pairs">{"".join(pairs)}</dl>'


# --- Words ---------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if value is None or value == "":
        return _NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _look(value: Decimal | None) -> str:
    return "" if not value else "gain" if value > 0 else "loss"


def _amount(value: Decimal) -> str:
    return f"{value:,.2f}"


def _signed(value: Decimal | None) -> str:
    return _NONE if value is None else f"{value:+,.2f}".replace("-", _MINUS)


def _number(value: Decimal | float | None) -> str:
    return _NONE if value is None else f"{value:,.2f}".replace("-", _MINUS)


def _percent(value: Decimal | float | None, *, signed: bool = False) -> str:
    if value is None:
        return _NONE
    text = f"{value * 100:{'+' if signed else ''},.2f} %"
    return text.replace("-0.00", "0.00").replace("-", _MINUS)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return _NONE
    minutes = round(seconds / 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def _minute(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%-d %B %Y")
