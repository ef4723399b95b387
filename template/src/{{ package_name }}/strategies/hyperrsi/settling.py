"""HYPERRSI when an order was filled or has ended."""

from ...market.money import exact
from ..strategy import HALT_CODES, Config, Fill, Intent, Note, OrderClosed, OrderKey, Pause
from .ladder import place_ladder, renew_ladder, stop_after_entry, stop_after_target
from .leaving import close_cycle, sell
from .params import HyperRsiParams
from .prices import below
from .state import Position, Rung, Trade


def on_fill(trade: Trade, fill: Fill, config: Config[HyperRsiParams]) -> tuple[Trade, list[Intent]]:
    """Apply a fill to the position; the last one of an order also says what comes next."""
    if fill.key == trade.pending:
        trade = _bought(trade, fill)
        return _entry_ended(trade, fill.at, config) if fill.is_last else (trade, [])
    position = trade.position
    rung = _rung_of(position, fill.key)
    leaving = position.exit if position else None
    if position is None or (rung is None and (leaving is None or leaving.sale != fill.key)):
        return trade, [_unknown(fill.key)]
    with exact():
        held = position.held - fill.qty - (fill.fee if fill.fee_is_base else 0)
        if leaving:
            leaving = leaving._replace(available=leaving.available - fill.qty)
    trade = trade._replace(position=position._replace(held=held, exit=leaving, sold=True))
    if not fill.is_last:
        return trade, []
    if rung is None:
        return close_cycle(trade, fill.at)
    return _target_filled(trade, rung, fill, config)


def on_closed(
    trade: Trade, closed: OrderClosed, config: Config[HyperRsiParams]
) -> tuple[Trade, list[Intent]]:
    """Apply the end of an order that was not filled, or not to its end."""
    if closed.key == trade.pending:
        if closed.filled_qty > 0:
            return _entry_ended(trade, closed.at, config)
        return _entry_missed(trade, closed, config)
    position = trade.position
    rung = _rung_of(position, closed.key)
    if position is not None and rung is not None:
        rest = tuple(other for other in position.rungs if other is not rung)
        trade = trade._replace(position=position._replace(rungs=rest, is_ladder_due=True))
        if position.exit or position.asked_at:
            return _gone_on(trade, closed.at, config)
        note = Note(
            "target_closed",
            "{} has ended as {} {}: places the take-profits anew after the next candle",
            (closed.key.role, closed.reason, closed.code),
        )
        return trade, [note]
    if position is not None and position.exit and position.exit.sale == closed.key:
        return _sale_ended(trade, closed, config)
    return trade, [_unknown(closed.key)]


def _rung_of(position: Position | None, key: OrderKey) -> Rung | None:
    rungs = position.rungs if position else ()
    return next((rung for rung in rungs if rung.key == key), None)


def _unknown(key: OrderKey) -> Note:
    return Note("unknown_order", "nothing is known of an order {} {} {}", key)


def _bought(trade: Trade, fill: Fill) -> Trade:
    position = trade.position or Position()
    leaving = position.exit
    with exact():
        net = fill.qty - (fill.fee if fill.fee_is_base else 0)
        if leaving:
            leaving = leaving._replace(available=leaving.available + net)
        grown = position._replace(
            bought=position.bought + fill.qty,
            cost=position.cost + fill.qty * fill.price,
            held=position.held + net,
            last_price=fill.price,
            exit=leaving,
        )
    return trade._replace(position=grown, failures=0)


def _entry_ended(
    trade: Trade, at: int, config: Config[HyperRsiParams]
) -> tuple[Trade, list[Intent]]:
    """Set the stop and the take-profits after an entry, whatever part of it was filled."""
    position, opened = trade.position, trade.opened
    assert position is not None
    assert opened is not None
    params, tick = opened.params, config.market.tick
    position = position._replace(entries=position.entries + 1)
    reference = position.last_price if params.entry_criterion == "last" else position.average
    position = position._replace(
        stop=stop_after_entry(position, opened, tick),
        add_at=below(reference, params.pyramiding_value, tick),
    )
    trade = trade._replace(pending=None, position=position)
    if position.exit:
        return _gone_on(trade, at, config)
    if position.is_flat(config.market.lot) and not position.rungs:
        return close_cycle(trade, at)
    return renew_ladder(trade, at, config)


def _entry_missed(
    trade: Trade, closed: OrderClosed, config: Config[HyperRsiParams]
) -> tuple[Trade, list[Intent]]:
    is_fault = not closed.was_asked and closed.code not in HALT_CODES
    failures = trade.failures + is_fault
    note = Note(
        "entry_failed",
        "{} has ended as {} {} without a fill",
        (closed.key.role, closed.reason, closed.code),
    )
    intents: list[Intent] = [note]
    assert trade.opened is not None
    limit = trade.opened.params.max_entry_failures
    if failures >= limit:
        intents.append(
            Pause(f"{failures} entries in a row were refused, the last as {closed.code}")
        )
        failures = 0
    position = trade.position
    trade = trade._replace(
        pending=None,
        misses=trade.misses + 1,
        failures=failures,
        opened=trade.opened if position else None,
    )
    if position is not None and position.exit:
        trade, more = _gone_on(trade, closed.at, config)
        intents += more
    return trade, intents


def _target_filled(
    trade: Trade, rung: Rung, fill: Fill, config: Config[HyperRsiParams]
) -> tuple[Trade, list[Intent]]:
    position, opened = trade.position, trade.opened
    assert position is not None
    assert opened is not None
    number = int(rung.key.role[-1])
    rest = tuple(other for other in position.rungs if other is not rung)
    position = position._replace(rungs=rest, taken=max(position.taken, number))
    stop = stop_after_target(position, opened, number, config.market.tick)
    intents: list[Intent] = [
        Note("take_profit", "{} is filled at {}; stop {}", (rung.key.role, fill.price, stop))
    ]
    trade = trade._replace(position=position._replace(stop=stop))
    trade, more = _gone_on(trade, fill.at, config)
    return trade, [*intents, *more]


def _gone_on(trade: Trade, at: int, config: Config[HyperRsiParams]) -> tuple[Trade, list[Intent]]:
    """Do what has waited for an order to end, if no other one rests."""
    position = trade.position
    assert position is not None
    if position.rungs:
        return trade, []
    if position.exit:
        if trade.pending or position.exit.sale:
            return trade, []
        return sell(trade, at, config)
    if position.is_flat(config.market.lot):
        return close_cycle(trade, at)
    if position.is_ladder_due:
        return place_ladder(trade, config)
    return trade, []


def _sale_ended(
    trade: Trade, closed: OrderClosed, config: Config[HyperRsiParams]
) -> tuple[Trade, list[Intent]]:
    position = trade.position
    assert position is not None
    assert position.exit is not None
    if position.is_flat(config.market.lot):
        return close_cycle(trade, closed.at)
    leaving = position.exit
    waiting = leaving._replace(sale=None, tries=leaving.tries + 1, asked_at=closed.at)
    note = Note(
        "sale_failed",
        "the sale has ended as {} {}, {} are left: tries again",
        (closed.reason, closed.code, position.held),
        alert=True,
    )
    return trade._replace(position=position._replace(exit=waiting)), [note]
