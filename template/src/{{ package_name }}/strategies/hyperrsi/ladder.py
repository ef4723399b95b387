"""The take-profits of HYPERRSI: a ladder of sell orders above the average price."""

from collections.abc import Iterator
from decimal import Decimal

from ...market.money import floor_to, multiply
from ...market.words import OrderType, Side
from ..leaving import PATIENCE_SECONDS
from ..strategy import Cancel, Config, Intent, Note, OrderKey, Place
from .params import HyperRsiParams
from .prices import below, target, tradable
from .state import Opened, Position, Rung, Trade

HUNDRED = Decimal(100)


def rungs(
    position: Position, opened: Opened, cycle: int, config: Config[HyperRsiParams]
) -> tuple[Rung, ...]:
    """Return the take-profits of what is held; those that are filled already have none.

    One that is too small for the exchange is added to the next, the last one to that before it. If
    all are too small, there is one at the first price; none if even that would be too small.
    """
    tick, lot = config.market.tick, config.market.lot
    wanted = [rung for rung in opened.params.rungs if int(rung[0][-1]) > position.taken]
    held = floor_to(position.held, lot)
    if not wanted or held == 0:
        return ()
    average = position.average
    made: list[Rung] = []
    carried = Decimal(0)
    shares = _shares(wanted, opened.params, held, lot)
    for (role, value, _), share in zip(wanted, shares, strict=True):
        price = target(average, value, tick)
        carried += share
        if tradable(carried, price, config) > 0:
            made.append(Rung(OrderKey(role, cycle, position.ladders), carried, price))
            carried = Decimal(0)
    if carried and made:
        made[-1] = made[-1]._replace(qty=made[-1].qty + carried)
    elif carried:
        role, value, _ = wanted[0]
        price = target(average, value, tick)
        if tradable(carried, price, config) > 0:
            made.append(Rung(OrderKey(role, cycle, position.ladders), carried, price))
    return tuple(made)


def _shares(
    wanted: list[tuple[str, Decimal, Decimal]], params: HyperRsiParams, held: Decimal, lot: Decimal
) -> Iterator[Decimal]:
    """Return the lots of each take-profit, the last one's with what is left of a whole position."""
    total = sum(ratio for _, _, ratio in params.rungs)
    outstanding = HUNDRED - total + sum(ratio for _, _, ratio in wanted)
    given = Decimal(0)
    for number, (_, _, ratio) in enumerate(wanted, 1):
        share = floor_to(multiply(held, ratio) / outstanding, lot)
        if number == len(wanted) and total == HUNDRED:
            share = held - given
        given += share
        yield share


def place_ladder(trade: Trade, config: Config[HyperRsiParams]) -> tuple[Trade, list[Intent]]:
    """Place the take-profits; none of them rests."""
    position, opened = trade.position, trade.opened
    assert position is not None
    assert opened is not None
    made = rungs(position, opened, trade.cycle, config)
    placed = position._replace(
        rungs=made, ladders=position.ladders + 1, is_ladder_due=False, asked_at=0
    )
    intents: list[Intent] = [
        Place(rung.key, Side.SELL, OrderType.LIMIT, rung.qty, rung.price) for rung in made
    ]
    intents.append(
        Note(
            "ladder",
            "{} take-profits of {} at the average price {}",
            (len(made), position.held, floor_to(position.average, config.market.tick)),
        )
        if made
        else Note("no_ladder", "{} is too little for a take-profit", (position.held,))
    )
    return trade._replace(position=placed), intents


def renew_ladder(
    trade: Trade, at: int, config: Config[HyperRsiParams]
) -> tuple[Trade, list[Intent]]:
    """Have the take-profits placed anew. The exchange holds what those that rest would sell."""
    position = trade.position
    assert position is not None
    if not position.rungs:
        return place_ladder(trade, config)
    asked = position._replace(is_ladder_due=True, asked_at=at)
    return trade._replace(position=asked), [Cancel(rung.key) for rung in position.rungs]


def remind_ladder(
    trade: Trade, at: int, config: Config[HyperRsiParams]
) -> tuple[Trade, list[Intent]]:
    """Ask again for the cancellations that the take-profits wait for, or for the first time."""
    position = trade.position
    assert position is not None
    if at < position.asked_at + PATIENCE_SECONDS:
        return trade, []
    is_late = bool(position.asked_at and position.rungs)
    trade, intents = renew_ladder(trade, at, config)
    if is_late:
        late = Note(
            "ladder_unconfirmed",
            "cancellations are not confirmed after {} s; asks again",
            (PATIENCE_SECONDS,),
            alert=True,
        )
        intents.append(late)
    return trade, intents


def stop_after_entry(position: Position, opened: Opened, tick: Decimal) -> Decimal | None:
    """Return the stop after an entry has been filled, from the average that there is now."""
    params = opened.params
    stop = None
    if params.use_sl and (not params.use_sl_on_last or position.entries >= params.pyramiding_limit):
        stop = below(position.average, params.sl_value, tick)
    if position.taken:  # a take-profit was filled while this entry was in doubt
        return stop_after_target(position._replace(stop=stop), opened, position.taken, tick)
    return stop


def stop_after_target(
    position: Position, opened: Opened, number: int, tick: Decimal
) -> Decimal | None:
    """Return the stop after a take-profit has been filled: it only ever rises."""
    params = opened.params
    average = position.average
    if number == 1:
        moves, price = params.use_break_even, floor_to(average, tick)
    elif number == 2:
        moves, price = params.use_break_even_tp2, target(average, params.tp1_value, tick)
    else:
        moves, price = params.use_break_even_tp3, target(average, params.tp2_value, tick)
    if not moves:
        return position.stop
    return price if position.stop is None else max(position.stop, price)
