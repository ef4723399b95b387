"""Sweeps: the same candles with many settings, on all cores.

joblib has the work done; `with joblib.parallel_config(backend="dask"):` around `sweep` moves it to
the machines of a Dask cluster. docs/backtests.md says how.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import product
from typing import Any, Final, NamedTuple

from ..market.candles import Candles
from ..market.money import exact
from .engine import run_backtest
from .files import fills_sha256, value_of
from .metrics import Metrics, outcome_of
from .terms import Backtest

MOST_TRIES: Final = 100_000
_SHARES_A_JOB: Final = 4

METRICS: Final = (
    "total_return",
    "max_drawdown",
    "sharpe",
    "win_rate",
    "profit_factor",
    "fees",
    "cycles",
    "fills",
    "final_equity",
)


class Try(NamedTuple):
    """Result of one set of settings, and that on the candles that were held out."""

    metrics: Metrics
    held_out: Metrics | None
    fills_sha256: str


class JoblibMissingError(Exception):
    """More than one job needs the extra `sweep`."""


def sweep(
    candles: Candles,
    backtests: Sequence[Backtest],
    *,
    held_out: Candles | None = None,
    jobs: int = -1,
    on_progress: Callable[[int], None] | None = None,
) -> list[Try]:
    """Run every backtest, and return what each has brought, in their order.

    `jobs` is the number of processes, -1 for one a core. Each gets the candles a few times, with a
    share of the backtests, and metrics come back, no fills. Raises JoblibMissingError.
    """
    count, shares = _shares(candles, held_out, backtests, jobs)
    tries: list[Any] = [None] * len(backtests)
    done = 0
    for number, share in enumerate(shares):
        tries[number::count] = share
        done += len(share)
        if on_progress:
            on_progress(done)
    return tries


def _shares(
    candles: Candles, held_out: Candles | None, backtests: Sequence[Backtest], jobs: int
) -> tuple[int, Iterable[list[Try]]]:
    """Return how many shares there are, and what each has brought.

    A share has every `count`-th backtest: neighbours have like settings, and take as long.
    """
    if jobs == 1:
        return len(backtests), (_run(candles, held_out, [backtest]) for backtest in backtests)
    try:
        from joblib import Parallel, delayed, effective_n_jobs  # type: ignore[import-untyped]  # noqa: PLC0415
    except ImportError:
        raise JoblibMissingError from None
    count = min(len(backtests), _SHARES_A_JOB * effective_n_jobs(jobs))
    return count, Parallel(n_jobs=jobs, return_as="generator")(
        delayed(_run)(candles, held_out, backtests[number::count]) for number in range(count)
    )


def _run(candles: Candles, held_out: Candles | None, backtests: Sequence[Backtest]) -> list[Try]:
    return [_try(candles, held_out, backtest) for backtest in backtests]


def _try(candles: Candles, held_out: Candles | None, backtest: Backtest) -> Try:
    lot = backtest.config.market.lot
    _, strategy, config, _, terms = backtest
    outcome = outcome_of(run_backtest(candles, strategy, config, terms), candles, lot)
    later = None
    if held_out:
        run = run_backtest(held_out, strategy, config, terms)
        later = outcome_of(run, held_out, lot).metrics
    return Try(outcome.metrics, later, fills_sha256(backtest, outcome))


# --- What is varied ------------------------------------------------------------------------------


def values_of(text: str) -> list[str]:
    """Return the values of `10,14,21` or of `from:to:step`. Raises ValueError."""
    if ":" not in text:
        values = [value.strip() for value in text.split(",")]
        if not all(values):
            raise ValueError(f"{text!r} has an empty value")
        return values
    parts = text.split(":")
    try:
        first, last, step = (Decimal(part) for part in parts)
    except (ValueError, ArithmeticError):
        raise ValueError(f"{text!r} is not FROM:TO:STEP, such as 20:40:5") from None
    if not (first.is_finite() and last.is_finite() and step.is_finite() and step > 0):
        raise ValueError(f"{text!r}: a step is more than 0")
    with exact():
        count = int((last - first) // step) + 1
        if not 0 < count <= MOST_TRIES:
            raise ValueError(f"{text!r} has no value, or too many")
        return [f"{first + number * step:f}" for number in range(count)]


def combinations(varied: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Return every combination of the values, the last name varying fastest."""
    return [dict(zip(varied, values, strict=True)) for values in product(*varied.values())]


# --- What comes out ------------------------------------------------------------------------------


def sweep_csv(combos: Sequence[Mapping[str, str]], tries: Sequence[Try]) -> str:
    """Return a line for each try: its settings, its metrics, those of what was held out."""
    has_later = any(each.held_out for each in tries)
    names = [*combos[0], *METRICS]
    names += [f"held_out_{name}" for name in METRICS] if has_later else []
    lines = [",".join([*names, "fills_sha256"])]
    for combo, each in zip(combos, tries, strict=True):
        cells = [*combo.values(), *_cells(each.metrics)]
        cells += _cells(each.held_out) if each.held_out else []
        lines.append(",".join([*cells, each.fills_sha256]))
    return "\n".join(lines) + "\n"


def _cells(metrics: Metrics) -> list[str]:
    values = (value_of(getattr(metrics, name)) for name in METRICS)
    return ["" if value is None else str(value) for value in values]


def rank(tries: Sequence[Try], name: str) -> list[int]:
    """Return the numbers of the tries, the best by this metric first."""
    sign = 1 if name == "max_drawdown" else -1

    def key(number: int) -> tuple[bool, Any]:
        value = getattr(tries[number].metrics, name)
        return value is None, 0 if value is None else sign * value

    return sorted(range(len(tries)), key=key)
