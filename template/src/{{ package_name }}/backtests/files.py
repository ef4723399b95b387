"""Files of a backtest: fills.csv, equity.csv, result.json, and its pictures."""

import json
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from ..market.candles import Candles
from ..market.money import multiply, plain
from ..strategies.drawing import chart_css, standalone
from ..strategies.performance import growth
from .metrics import Outcome
from .pictures import drawdown_picture, equity_picture, price_picture
from .terms import ZERO, Backtest, Trade

FILLS_HEADER: Final = "ts,role,side,qty,price,fee,fee_currency,liquidity"
EQUITY_HEADER: Final = "ts,close,quote,base,equity,drawdown"


def fill_lines(backtest: Backtest, outcome: Outcome) -> Iterator[str]:
    """Yield a line for each fill: quantities to the lot, prices to the tick."""
    market = backtest.config.market
    for trade in outcome.run.trades:
        yield _fill_line(trade, market.lot, market.tick)


def _fill_line(trade: Trade, lot: Decimal, tick: Decimal) -> str:
    return (
        f"{trade.at},{trade.role},{trade.side},{trade.qty.quantize(lot):f},"
        f"{trade.price.quantize(tick):f},{_plain(trade.fee)},"
        f"{'base' if trade.fee_is_base else 'quote'},{trade.liquidity}"
    )


def fills_csv(backtest: Backtest, outcome: Outcome) -> str:
    return "\n".join([FILLS_HEADER, *fill_lines(backtest, outcome)]) + "\n"


def fills_sha256(backtest: Backtest, outcome: Outcome) -> str:
    """Return the digest of the lines of fills.csv below its header: equal runs have equal ones."""
    return sha256("\n".join(fill_lines(backtest, outcome)).encode()).hexdigest()


def equity_csv(outcome: Outcome, candles: Candles) -> Iterator[str]:
    """Yield the lines of equity.csv: one for each candle, at its close."""
    yield EQUITY_HEADER + "\n"
    holdings = iter(outcome.run.holdings)
    held = next(holdings)
    upcoming = next(holdings, None)
    peak = outcome.metrics.start_equity
    seconds, tick = candles.timeframe_seconds, candles.scale.tick
    rows = zip(candles.open_time, candles.close, outcome.equity, strict=True)
    for number, (at, close, equity) in enumerate(rows):
        if upcoming and upcoming.candle == number:
            held, upcoming = upcoming, next(holdings, None)
        peak = max(peak, equity)
        drawdown = -growth(peak, equity) if equity < peak else ZERO
        yield (
            f"{at + seconds},{plain(multiply(Decimal(close), tick))},{_plain(held.quote)},"
            f"{_plain(held.base)},{_plain(equity)},{drawdown:.8f}\n"
        )


def result_of(backtest: Backtest, outcome: Outcome, candles: Candles) -> dict[str, Any]:
    """Return the result, ready for JSON: amounts as strings, shares as numbers."""
    metrics, run, terms = outcome.metrics, outcome.run, backtest.terms
    market = backtest.config.market
    result: dict[str, Any] = {
        "kind": backtest.kind,
        "symbol": market.symbol,
        "timeframe": backtest.timeframe.value,
        "candles": len(candles),
        "from": candles.open_time[0],
        "to": candles.open_time[-1] + candles.timeframe_seconds,
    }
    result |= {name: value_of(value) for name, value in metrics._asdict().items()}
    result |= {name: _share(getattr(metrics, name)) for name in _SHARES}
    result |= {
        "fills_sha256": fills_sha256(backtest, outcome),
        "orders": len(run.decisions),
        "closed_unfilled": dict(run.closed),
        "notes": dict(run.notes),
        "paused": run.paused or None,
        "status": run.status,
        "params": backtest.config.params.model_dump(mode="json"),
        "terms": {name: value_of(value) for name, value in terms._asdict().items()}
        | {"maker": plain(market.maker), "taker": plain(market.taker)},
    }
    return result


_SHARES: Final = ("total_return", "max_drawdown", "profit_factor", "buy_and_hold")


def result_json(result: dict[str, Any]) -> str:
    return json.dumps(result, indent=2) + "\n"


def value_of(value: Any) -> Any:
    """Return an amount as it is written in JSON and CSV, and anything else as it is."""
    return _plain(value) if isinstance(value, Decimal) else value


def _share(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _plain(amount: Decimal) -> str:
    return plain(amount) if amount else "0"


def write_files(folder: Path, backtest: Backtest, outcome: Outcome, candles: Candles) -> None:
    """Write everything but the report into a folder that is there. Raises OSError."""
    css = chart_css()
    for name, text in (
        ("fills.csv", fills_csv(backtest, outcome)),
        ("result.json", result_json(result_of(backtest, outcome, candles))),
        ("equity.svg", standalone(equity_picture(outcome, candles), css)),
        ("drawdown.svg", standalone(drawdown_picture(outcome, candles), css)),
        ("price.svg", standalone(price_picture(outcome, candles), css)),
    ):
        (folder / name).write_text(text, "utf-8")
    with (folder / "equity.csv").open("w", encoding="utf-8", newline="") as file:
        file.writelines(equity_csv(outcome, candles))
