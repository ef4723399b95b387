"""HYPERRSI when a candle has closed."""

from collections.abc import Sequence

from ...market.words import OrderType, Side
from ..strategy import CandleClosed, Config, Intent, Note, OrderKey, Place
from .ladder import remind_ladder
from .leaving import leave, remind
from .params import HyperRsiParams
from .prices import below, entry_qty
from .signals import DOWN, SLOW, Signals, is_long_signal, new_signals
from .state import Exit, Opened, Position, State, Trade

_TREND_IS_DOWN = Note("blocked_by_trend", "a signal to buy, but the trend is down")
_HAS_PENDING = Note("entry_pending", "an entry has not ended: waits for it")


def on_candle(
    state: State, event: CandleClosed, config: Config[HyperRsiParams]
) -> tuple[State, Sequence[Intent]]:
    """Apply a candle: first to the indicators, then to the position or to a new entry."""
    signals, trade = state
    candle = event.candle
    opened = trade.opened
    params = config.params if opened is None else opened.params
    restarted: list[Intent] | None = None
    if candle.open_time != signals.until and signals.until:
        if candle.open_time < signals.until:
            return state, (Note("ignored", "the candle of {} is not newer", (candle.open_time,)),)
        restarted = [Note("gap", "no candle since {}: begins to look anew", (signals.until,))]
        signals = new_signals(params)
    if candle.close_time - candle.open_time != config.timeframe_seconds:
        return state, (Note("refused", "the candle of {} is incomplete", (candle.open_time,)),)
    if signals.rsi.length != params.rsi_length:
        restarted = [Note("new_length", "the RSI has another length: begins to look anew")]
        signals = new_signals(params)
    signals = signals.after(candle)
    if trade.position is not None:
        trade, intents = _with_position(trade, trade.position, signals, event, config)
    else:
        trade, intents = _flat(trade, params, signals, event, config)
    if restarted is not None:
        intents = [*restarted, *intents]
    return State(signals, trade), intents


def _flat(
    trade: Trade,
    params: HyperRsiParams,
    signals: Signals,
    event: CandleClosed,
    config: Config[HyperRsiParams],
) -> tuple[Trade, Sequence[Intent]]:
    now = event.candle.close_time
    rsi = signals.now
    if trade.pending:
        return trade, (_HAS_PENDING,)
    if rsi is None:
        return trade, (Note("warming_up", "the RSI is not known yet"),)
    if now < trade.cooldown_until:
        return trade, (Note("cooldown", "waits until {}", (trade.cooldown_until,)),)
    if not is_long_signal(params.entry_option, signals.before, rsi, params.rsi_oversold):
        return trade, (Note("no_signal", "RSI {:.2f}", (rsi,)),)
    if params.use_trend_logic:
        trend = signals.trend(params.trend_threshold)
        if trend is None:
            return trade, (Note("warming_up", "the trend needs {} candles", (SLOW,)),)
        if trend == DOWN:
            return trade, (_TREND_IS_DOWN,)
    opened = Opened(config.version, params)
    return _buy("entry", trade, opened, 0, event, config, rsi)


def _with_position(
    trade: Trade,
    position: Position,
    signals: Signals,
    event: CandleClosed,
    config: Config[HyperRsiParams],
) -> tuple[Trade, Sequence[Intent]]:
    opened = trade.opened
    assert opened is not None
    params = opened.params
    now = event.candle.close_time
    if position.exit:
        return remind(trade, event.candle.close_price, event.available, now, config)
    trend = signals.trend(params.trend_threshold)
    if trend == DOWN and params.use_trend_close:
        leaving = Exit("trend", now, event.available, event.candle.close_price)
        trade, intents = leave(trade, leaving, config)
        return trade, [Note("exit_trend", "the trend is down: sells all"), *intents]
    trade, cared = _care(trade, position, event, config)
    assert trade.position is not None
    trade, added = _add(trade, trade.position, opened, signals, trend, event, config)
    return trade, [*cared, *added] if cared else added


def _care(
    trade: Trade, position: Position, event: CandleClosed, config: Config[HyperRsiParams]
) -> tuple[Trade, list[Intent]]:
    """See to the take-profits that are missing, and to a stop that follows the price."""
    assert trade.opened is not None
    params = trade.opened.params
    candle = event.candle
    intents: list[Intent] = []
    if params.trailing_stop_active and position.taken >= int(params.trailing_start_point[-1]):
        high = candle.high * candle.scale.tick
        stop = below(high, params.trailing_stop_offset_value, config.market.tick)
        if position.stop is None or stop > position.stop:
            trade = trade._replace(position=position._replace(stop=stop))
            intents.append(Note("trailing_stop", "the stop follows to {}", (stop,)))
    if position.is_ladder_due:
        trade, placed = remind_ladder(trade, candle.close_time, config)
        intents += placed
    return trade, intents


def _add(
    trade: Trade,
    position: Position,
    opened: Opened,
    signals: Signals,
    trend: int | None,
    event: CandleClosed,
    config: Config[HyperRsiParams],
) -> tuple[Trade, Sequence[Intent]]:
    """Add to the position, or say why not."""
    params = opened.params
    if trade.pending:
        return trade, (_HAS_PENDING,)
    if position.entries >= params.pyramiding_limit:
        return trade, (Note("dca_limit", "{} entries are all", (position.entries,)),)
    if position.sold:
        return trade, (Note("dca_over", "a take-profit is filled: adds nothing"),)
    if event.candle.close_time < trade.cooldown_until:
        return trade, (Note("cooldown", "waits until {}", (trade.cooldown_until,)),)
    if params.use_check_DCA_with_price and event.candle.close_price > position.add_at:
        return trade, (Note("above_dca", "adds at {} or below", (position.add_at,)),)
    rsi = signals.now
    if rsi is None or (params.use_trend_logic and trend is None):
        return trade, (Note("warming_up", "may add, but the indicators are not known yet"),)
    if params.use_rsi_with_pyramiding and not is_long_signal(
        params.entry_option, signals.before, rsi, params.rsi_oversold
    ):
        return trade, (Note("no_signal", "may add, but RSI {:.2f} is no signal", (rsi,)),)
    if params.use_trend_logic and trend == DOWN:
        return trade, (_TREND_IS_DOWN,)
    return _buy("dca", trade, opened, position.entries, event, config, rsi)


def _buy(
    role: str,
    trade: Trade,
    opened: Opened,
    entries: int,
    event: CandleClosed,
    config: Config[HyperRsiParams],
    rsi: float,
) -> tuple[Trade, Sequence[Intent]]:
    if not event.may_open:
        return trade, (Note("may_not_open", "a signal to buy, but {}", (event.why_not,)),)
    price = event.candle.close_price
    qty = entry_qty(opened.params, entries, price, config)
    if qty == 0:
        return trade, (Note("too_small", "at {} it would buy less than it must", (price,)),)
    key = OrderKey(role, trade.cycle, entries + trade.misses)
    placed = Place(key, Side.BUY, OrderType.MARKET, qty)
    why = Note(role, "buys {} at about {}: RSI {:.2f}", (qty, price, rsi))
    return trade._replace(opened=opened, pending=key), (placed, why)
