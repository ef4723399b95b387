"""Candles a second of CPU time in a backtest, beside backtesting.py and nautilus_trader.

Run by `nox -s bench` inside a rendered service. The others come into environments of their own,
by `uv run`; one that has no wheel for this machine is left out, and that is said. Each round runs
all of them in turn on the same candles, so that a neighbour's load falls on all alike; a ratio is
the median of the rounds'. Indicators are included wherever a tool calculates them.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROUNDS = 3
COUNT = 50_000
MINUTES_OF_A_YEAR = 525_600
BEGIN = 1_767_225_600
Row = tuple[int, int, int, int, int, int]

OTHERS = {
    "backtesting": ["backtesting>=0.6.6,<0.7", "pandas<3"],
    "nautilus": ["nautilus_trader"],
}


def series(count: int, seconds: int) -> list[Row]:
    """Return candles that wander about 50,000.00, in whole numbers: the same each time."""
    x, close, rows = 20260101, 5_000_000, []
    for number in range(count):
        draws = []
        for _ in range(4):
            x = (1664525 * x + 1013904223) % 2**32
            draws.append(x >> 16)
        opened = close
        drift = (-60, 40, -80, 90, -30, 100, -80, 50)[number // 50 % 8] * 100
        close += draws[0] % 40001 - 20000 + drift + (5_000_000 - close) // 500
        high, low = max(opened, close) + draws[1] % 6000, min(opened, close) - draws[2] % 6000
        volume = 1_000_000 + draws[3] % 1000 * 10_000
        rows.append((BEGIN + number * seconds, opened, high, low, close, volume))
    return rows


# --- Ours ----------------------------------------------------------------------------------------


def ours(kind: str, rows: list[Row], seconds: int, **params: Any) -> tuple[float, int]:
    """Run a kind of strategy; return CPU seconds and the number of fills."""
    from trading_service.backtests.engine import run_backtest  # noqa: PLC0415

    candles, backtest = prepared(kind, rows, seconds, **params)
    begin = time.process_time()
    run = run_backtest(candles, backtest.strategy, backtest.config, backtest.terms)
    return time.process_time() - begin, len(run.trades)


def prepared(kind: str, rows: list[Row], seconds: int, **params: Any) -> tuple[Any, Any]:
    from decimal import Decimal  # noqa: PLC0415

    from trading_service.backtests.terms import Backtest, Terms  # noqa: PLC0415
    from trading_service.market.candles import Candles, Scale, Timeframe  # noqa: PLC0415
    from trading_service.strategies.finding import find_kinds  # noqa: PLC0415
    from trading_service.strategies.strategy import Config, Market  # noqa: PLC0415

    tick, lot = Decimal("0.01"), Decimal("0.00001")
    fees = Decimal("0.0008"), Decimal("0.001")
    market = Market("BTC-USDT", "BTC", "USDT", tick, lot, Decimal(1), *fees)
    strategy = find_kinds()[kind]
    config = Config(strategy.params_type(**params), market, seconds)
    candles = Candles(Scale(tick, lot), seconds, rows)
    return candles, Backtest(kind, strategy, config, Timeframe.M15, Terms(Decimal(100_000)))


GRID = {"min_price": "44000", "max_price": "56000", "grid_num": 40, "amount": "1000"}


# --- The others, each in an environment of its own ------------------------------------------------


def backtesting(rows: list[Row]) -> tuple[float, int]:
    """RSI entry with take-profit and stop, long only."""
    import pandas as pd  # noqa: PLC0415
    from backtesting import Backtest, Strategy  # noqa: PLC0415

    frame = pd.DataFrame(
        [[price / 100 for price in row[1:5]] + [row[5] / 1e5] for row in rows],
        columns=["Open", "High", "Low", "Close", "Volume"],
        index=pd.to_datetime([row[0] for row in rows], unit="s"),
    )

    def rsi(values: Any) -> Any:
        change = pd.Series(values).diff()
        gain = change.clip(lower=0).ewm(alpha=1 / 14, adjust=False).mean()
        loss = -change.clip(upper=0).ewm(alpha=1 / 14, adjust=False).mean()
        return 100 * gain / (gain + loss)

    class Rsi(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            self.rsi = self.I(rsi, self.data.Close)

        def next(self) -> None:
            if not self.position and self.rsi[-1] <= 30 < self.rsi[-2]:
                price = self.data.Close[-1]
                self.buy(size=0.02, tp=price * 1.03, sl=price * 0.95)

    test = Backtest(frame, Rsi, cash=10_000_000, commission=0.001, finalize_trades=True)
    begin = time.process_time()
    stats = test.run()
    return time.process_time() - begin, int(stats["# Trades"])


def nautilus(rows: list[Row]) -> tuple[float, int]:
    """The same in nautilus_trader: a strategy in Python that is told of bars."""
    from decimal import Decimal  # noqa: PLC0415

    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig  # noqa: PLC0415
    from nautilus_trader.config import LoggingConfig  # noqa: PLC0415
    from nautilus_trader.indicators import RelativeStrengthIndex  # noqa: PLC0415
    from nautilus_trader.model.currencies import BTC, USDT  # noqa: PLC0415
    from nautilus_trader.model.data import Bar, BarType  # noqa: PLC0415
    from nautilus_trader.model.enums import AccountType, OmsType, OrderSide  # noqa: PLC0415
    from nautilus_trader.model.identifiers import Venue  # noqa: PLC0415
    from nautilus_trader.model.objects import Money, Price, Quantity  # noqa: PLC0415
    from nautilus_trader.test_kit.providers import TestInstrumentProvider  # noqa: PLC0415
    from nautilus_trader.trading.strategy import Strategy  # noqa: PLC0415

    instrument = TestInstrumentProvider.btcusdt_binance()
    kind = BarType.from_str(f"{instrument.id}-15-MINUTE-LAST-EXTERNAL")
    bars = [
        Bar(
            kind,
            *(Price(ticks / 100, 2) for ticks in row[1:5]),
            Quantity(row[5] / 1e5, 6),
            (row[0] + 900) * 10**9,
            (row[0] + 900) * 10**9,
        )
        for row in rows
    ]

    class Rsi(Strategy):  # type: ignore[misc]
        def on_start(self) -> None:
            self.rsi = RelativeStrengthIndex(14)
            self.register_indicator_for_bars(kind, self.rsi)
            self.subscribe_bars(kind)
            self.entered = 0.0

        def on_bar(self, bar: Any) -> None:
            price = bar.close.as_double()
            if not self.entered and self.rsi.initialized and self.rsi.value < 0.3:
                self._order(OrderSide.BUY)
                self.entered = price
            elif self.entered and not 0.95 < price / self.entered < 1.03:
                self._order(OrderSide.SELL)
                self.entered = 0.0

        def _order(self, side: Any) -> None:
            size = instrument.make_qty(Decimal("0.01"))
            self.submit_order(self.order_factory.market(instrument.id, side, size))

    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(
        Venue("BINANCE"),
        oms_type=OmsType.NETTING,
        account_type=AccountType.CASH,
        starting_balances=[Money(10_000_000, USDT), Money(1, BTC)],
    )
    engine.add_instrument(instrument)
    engine.add_data(bars)
    engine.add_strategy(Rsi())
    begin = time.process_time()
    engine.run()
    spent = time.process_time() - begin
    fills = len(engine.trader.generate_order_fills_report())
    engine.dispose()
    return spent, fills


def other(name: str, path: Path) -> tuple[float, int] | None:
    """Run another tool, `None` where it can't be had."""
    needs = [word for need in OTHERS[name] for word in ("--with", need)]
    command = ["uv", "run", "--quiet", "--isolated", "--no-project", "--python", sys.executable]
    command += [*needs, "python", __file__, name, str(path)]
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd=path.parent
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"  {name} is left out: {reason}")
        return None
    spent, count = json.loads(done.stdout.splitlines()[-1])
    return spent, count


# --- What is measured ----------------------------------------------------------------------------


def beside_others() -> list[bool]:
    rows = series(COUNT, 900)
    speeds: dict[str, list[float]] = {name: [] for name in ("hyperrsi", "grid", *OTHERS)}
    counts: dict[str, int] = {}
    missing: set[str] = set()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.json"
        path.write_text(json.dumps(rows))
        for _ in range(ROUNDS):
            results: dict[str, tuple[float, int] | None] = {
                "hyperrsi": ours("hyperrsi", rows, 900),
                "grid": ours("grid", rows, 900, **GRID),
            }
            for name in sorted(set(OTHERS) - missing):
                results[name] = other(name, path)
            for name, result in results.items():
                if result is None:
                    missing.add(name)
                    continue
                spent, counts[name] = result
                speeds[name].append(COUNT / spent)
    for name, all_of in speeds.items():
        if all_of:
            middle = statistics.median(all_of)
            print(f"  {name:12} {middle:10,.0f} candles/s   {counts[name]:,} fills or trades")
    return [
        reaches(speeds, "hyperrsi", "backtesting", 0.5),
        reaches(speeds, "grid", "nautilus", 1.0),
    ]


def reaches(speeds: dict[str, list[float]], own: str, name: str, least: float) -> bool:
    if not speeds[name]:
        return True
    ratio = statistics.median(a / b for a, b in zip(speeds[own], speeds[name], strict=True))
    return verdict(f"{own} / {name}", ratio, least)


def verdict(what: str, value: float, least: float | None = None, most: float | None = None) -> bool:
    holds = (least is None or value >= least) and (most is None or value <= most)
    wanted = f"at least {least:g}" if least is not None else f"at most {most:g}"
    print(f"  {what:40} {value:8.2f}   {wanted}{'' if holds else '   MISSED'}")
    return holds


def of_length() -> bool:
    """Compare the cost of a candle among 500,000 with that among 5,000."""
    short, long = series(5_000, 900), series(500_000, 900)
    ratios = []
    for _ in range(3):
        few = min(ours("hyperrsi", short, 900)[0] for _ in range(5)) / len(short)
        ratios.append(ours("hyperrsi", long, 900)[0] / len(long) / few)
    return verdict("a candle of 500,000 / of 5,000", min(ratios), most=1.1)


def of_a_year() -> bool:
    rows = series(MINUTES_OF_A_YEAR, 60)
    return verdict("a year of minutes, CPU s", ours("hyperrsi", rows, 60)[0], most=15)


def of_cores() -> bool:
    """Compare the wall time of a sweep in two processes with that in one."""
    from trading_service.backtests.sweep import sweep  # noqa: PLC0415

    if (os.cpu_count() or 1) < 2:
        return True
    rows = series(40_000, 900)
    candles, _ = prepared("hyperrsi", rows, 900)
    backtests = [prepared("hyperrsi", rows[:1], 900, rsi_length=n)[1] for n in range(5, 29)]
    sweep(candles[:100], backtests, jobs=2)  # its processes are there from now on
    ratios = []
    for _ in range(3):
        spent = []
        for jobs in (1, 2):
            begin = time.perf_counter()
            sweep(candles, backtests, jobs=jobs)
            spent.append(time.perf_counter() - begin)
        ratios.append(spent[0] / spent[1])
    return verdict("a sweep on one core / on two", max(ratios), least=1.8)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        tool = {"backtesting": backtesting, "nautilus": nautilus}[sys.argv[1]]
        given = [tuple(row) for row in json.loads(Path(sys.argv[2]).read_text())]
        print(json.dumps(tool(given)))  # type: ignore[arg-type]
    else:
        print("Backtests")
        sys.exit(not all([*beside_others(), of_length(), of_a_year(), of_cores()]))
