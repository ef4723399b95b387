"""Understanding what a person asks of a backtest: every fault of it is found, not only the first"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from ..market.candle_files import CandleFileError, read_csv
from ..market.candles import Candles, Scale, Timeframe
from ..market.money import Amount, PositiveAmount, multiply, plain
from ..strategies.checking import check, read_settings
from ..strategies.finding import find_kinds
from ..strategies.strategy import Market, Strategy
from ..trading.demo import INSTRUMENTS
from .terms import Backtest, Terms

ValueT = TypeVar("ValueT")

_MOST_LINES: Final = 20


class Span(NamedTuple):
    """From when, and before when, in seconds since 1970; None is without end."""

    begin: int | None
    end: int | None


_ALWAYS: Final = Span(None, None)


@dataclass(frozen=True)
class Asked:
    """A backtest as it was typed; None is what was not said."""

    kind: str
    symbol: str | None
    timeframe: str | None
    cash: str | None
    settings: Sequence[str] = ()
    candles: str | None = None
    base: str = "0"
    tick: str | None = None
    lot: str | None = None
    min_notional: str | None = None
    maker: str = "0.0008"
    taker: str = "0.001"
    spread_ppm: str = "100"
    max_participation: str = "0.1"
    begin: str | None = None
    end: str | None = None


class UnusableError(Exception):
    """A backtest cannot be run, for all of these reasons."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass
class Understood:
    """Everything understood so far. `given` are the settings of the strategy, as text."""

    faults: list[str] = field(default_factory=list)
    strategy: Strategy[Any, Any] | None = None
    market: Market | None = None
    timeframe: Timeframe | None = None
    terms: Terms | None = None
    given: dict[str, str] = field(default_factory=dict)
    span: Span = _ALWAYS
    candles: Candles | None = None

    def read(self, name: str, text: str | None, parse: Callable[[str], ValueT]) -> ValueT | None:
        """Return what the text means; keep what it has against it, under the option's name."""
        if text is None:
            self.faults.append(f"{name} is missing")
            return None
        try:
            return parse(text)
        except ValidationError as error:
            self.faults.append(f"{name}: {_said(error)}")
        except ValueError as error:
            self.faults.append(f"{name}: {error}")
        return None


def understand(asked: Asked) -> Understood:
    """Return what was asked, with every fault of it but the strategy's own."""
    found = Understood()
    kinds = find_kinds()
    found.strategy = kinds.get(asked.kind)
    if found.strategy is None:
        names = ", ".join(kinds) or "none"
        found.faults.append(f"{asked.kind!r} is no kind of strategy; there is {names}")
    found.timeframe = found.read("--timeframe", asked.timeframe, _timeframe)
    cash = found.read("--cash", asked.cash, _amount)
    base = found.read("--base", asked.base, _amount)
    spread = found.read("--spread-ppm", asked.spread_ppm, _spread)
    share = found.read("--max-participation", asked.max_participation, _participation)
    if cash is not None and base is not None and not cash and not base:
        found.faults.append("--cash and --base: with nothing, nothing can be traded")
    if cash is not None and base is not None and spread is not None and share is not None:
        found.terms = Terms(cash, base, spread, share)
    found.market = _market(found, asked)
    found.given, wrong = read_settings(asked.settings)
    found.faults += [f"--set {one}" for one in wrong]
    begin = found.read("--from", asked.begin, _time) if asked.begin is not None else None
    end = found.read("--to", asked.end, _time) if asked.end is not None else None
    if begin is not None and end is not None and begin >= end:
        found.faults.append("--from must be before --to")
    found.span = Span(begin, end)
    if asked.candles is not None:
        found.candles = _candles(found, Path(asked.candles))
    elif begin is None or end is None:
        found.faults.append("--candles is missing: a file, or --from and --to for stored candles")
    return found


def backtest_of(asked: Asked, found: Understood) -> tuple[Backtest, Candles]:
    """Return the backtest, and its candles. Raises UnusableError with every fault."""
    backtest, faults = backtest_with(asked, found, {})
    if found.faults or backtest is None or found.candles is None:
        raise UnusableError([*found.faults, *faults])
    return backtest, found.candles


def backtest_with(
    asked: Asked, found: Understood, more: Mapping[str, str]
) -> tuple[Backtest | None, list[str]]:
    """Return the backtest with some more settings, or None and what these have against them."""
    if not (found.strategy and found.market and found.timeframe):
        return None, []
    price = _first_close(found.candles) if found.candles else None
    given = {**found.given, **more}
    config, wrong = check(found.strategy, given, found.market, found.timeframe.seconds, price)
    if config and found.terms:
        return Backtest(asked.kind, found.strategy, config, found.timeframe, found.terms), []
    return None, [
        f"--set {fault.param}: {fault.message}" if fault.param else fault.message for fault in wrong
    ]


def between(candles: Candles, span: Span) -> Candles:
    """Return the candles that were opened from `begin` on and before `end`."""
    times = candles.open_time
    first = 0 if span.begin is None else bisect_left(times, span.begin)
    last = len(times) if span.end is None else bisect_left(times, span.end)
    return candles[first:last]


def gaps_of(candles: Candles) -> int:
    """Return how many candles are missing between the first and the last."""
    if not candles:
        return 0
    seconds = candles.timeframe_seconds
    whole: int = (candles.open_time[-1] - candles.open_time[0]) // seconds + 1
    return whole - len(candles)


# --- Parts ---------------------------------------------------------------------------------------


def _market(found: Understood, asked: Asked) -> Market | None:
    maker = found.read("--maker", asked.maker, _fee)
    taker = found.read("--taker", asked.taker, _fee)
    if asked.symbol is None:
        found.faults.append("--symbol is missing")
        return None
    known: Mapping[str, Any] = next(
        (row for row in INSTRUMENTS if row["symbol"] == asked.symbol), {}
    )
    base, dash, quote = asked.symbol.partition("-")
    is_pair = bool(dash and base and quote) and base != quote and asked.symbol.isascii()
    if not is_pair or asked.symbol != asked.symbol.upper():
        found.faults.append(f"--symbol: {asked.symbol!r} is no pair of currencies, as BTC-USDT")
        return None
    steps: list[Decimal | None] = []
    for option, text, name, parse in (
        ("--tick", asked.tick, "price_increment", _positive),
        ("--lot", asked.lot, "size_increment", _positive),
        ("--min-notional", asked.min_notional, "min_notional", _amount),
    ):
        if text is None and name in known:
            steps.append(known[name])
        elif text is None:
            steps.append(None)
            found.faults.append(f"{option} is missing: {asked.symbol} is not known here")
        else:
            steps.append(found.read(option, text, parse))
    tick, lot, least = steps
    if tick is None or lot is None or least is None or maker is None or taker is None:
        return None
    if multiply(tick, lot) < Decimal("1e-18"):
        found.faults.append("--tick times --lot must not have more than 18 decimals")
        return None
    return Market(asked.symbol, base, quote, tick, lot, least, maker, taker)


def _candles(found: Understood, path: Path) -> Candles | None:
    if found.market is None or found.timeframe is None:
        if not path.is_file():
            found.faults.append(f"--candles: there is no file {path}")
        return None
    try:
        scale = Scale(found.market.tick, found.market.lot)
        candles = between(read_csv(path, scale, found.timeframe), found.span)
    except CandleFileError as error:
        shown = error.refusals[:_MOST_LINES]
        found.faults += [f"{path}, line {line}: {reason}" for line, reason in shown]
        if more := len(error.refusals) - len(shown):
            found.faults.append(f"{path}: {more} more lines are refused")
        return None
    except FileNotFoundError:
        found.faults.append(f"--candles: there is no file {path}")
        return None
    except OSError as error:
        found.faults.append(f"--candles: {path} cannot be read: {error.strerror}")
        return None
    if not candles:
        when = "" if found.span == _ALWAYS else " from --from to --to"
        found.faults.append(f"--candles: there is no candle in {path}{when}")
        return None
    return candles


def _first_close(candles: Candles) -> Decimal:
    return multiply(Decimal(candles.close[0]), candles.scale.tick)


# --- Values --------------------------------------------------------------------------------------

_AMOUNT: TypeAdapter[Decimal] = TypeAdapter(Amount)
_POSITIVE: TypeAdapter[Decimal] = TypeAdapter(PositiveAmount)


def _said(error: ValidationError) -> str:
    return str(error.errors()[0]["msg"]).removeprefix("Value error, ")


def _amount(text: str) -> Decimal:
    return _AMOUNT.validate_python(text)


def _positive(text: str) -> Decimal:
    return _POSITIVE.validate_python(text)


def _fee(text: str) -> Decimal:
    share = _amount(text)
    if share >= Decimal("0.1"):
        raise ValueError(f"a share below 0.1 is wanted, 0.001 is 0.1 %; {plain(share)} is none")
    return share


def _participation(text: str) -> Decimal:
    share = _positive(text)
    if share > 1:
        raise ValueError(f"a share of the volume is wanted, from 0 to 1; {plain(share)} is none")
    return share


def _spread(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 100_000:
        raise ValueError(f"a whole number from 0 to 100000 is wanted; {text!r} is none")
    return int(text)


def _timeframe(text: str) -> Timeframe:
    try:
        return Timeframe(text)
    except ValueError:
        raise ValueError(f"{text!r} is none of {', '.join(Timeframe)}") from None


def _time(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time, such as 2026-01-31 or 2026-01-31T08:00Z") from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
