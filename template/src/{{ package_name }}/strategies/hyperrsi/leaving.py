"""The exit protocol of HYPERRSI: cancel, wait until nothing rests, then sell what is left.

Orders that rest hold what they would sell, and one that is being canceled may still be filled. So
nothing is sold before every cancellation is confirmed: it could be sold twice.
"""

from decimal import Decimal

from ...market.money import floor_to
from ...market.words import OrderType, Side
from .. import leaving as shared
from ..strategy import Cancel, Config, Intent, Note, OrderKey, Place
from .params import HyperRsiParams
from .prices import tradable
from .state import Exit, Trade


def leave(
    trade: Trade, leaving: Exit, config: Config[HyperRsiParams]
) -> tuple[Trade, list[Intent]]:
    """Begin to leave the position, or go on with it: ask for what is to happen next."""
    position = trade.position
    assert position is not None
    cancels: list[Intent] = [Cancel(rung.key) for rung in position.rungs]
    if trade.pending:
        cancels.append(Cancel(trade.pending))
    trade = trade._replace(position=position._replace(exit=leaving, is_ladder_due=False))
    if cancels:
        return trade, cancels
    return sell(trade, leaving.asked_at, config)


def sell(trade: Trade, at: int, config: Config[HyperRsiParams]) -> tuple[Trade, list[Intent]]:
    """Sell what is left; nothing of it rests. What is worth too little for an order stays."""
    position = trade.position
    assert position is not None
    leaving = position.exit
    assert leaving is not None
    intents: list[Intent] = []
    owned = floor_to(position.held, config.market.lot)
    qty = min(owned, floor_to(max(leaving.available, Decimal(0)), config.market.lot))
    if qty < owned:
        note = Note(
            "position_short",
            "{} of the position of {} are there: somebody else has sold the rest",
            (qty, owned),
            alert=True,
        )
        intents.append(note)
    if tradable(qty, leaving.price, config) == 0:
        trade, closed = close_cycle(trade, at)
        return trade, [*intents, *closed]
    key = OrderKey(leaving.role, trade.cycle, leaving.tries)
    selling = leaving._replace(asked_at=at, sale=key)
    intents.append(Place(key, Side.SELL, OrderType.MARKET, qty))
    return trade._replace(position=position._replace(exit=selling)), intents


def remind(
    trade: Trade, price: Decimal, available: Decimal, at: int, config: Config[HyperRsiParams]
) -> tuple[Trade, list[Intent]]:
    """Ask again for what an exit waits for, once it has waited for too long."""
    position = trade.position
    assert position is not None
    leaving = position.exit
    assert leaving is not None
    again = leaving._replace(asked_at=at, available=available, price=price)
    return shared.remind(
        trade,
        trade._replace(position=position._replace(exit=again)),
        at - leaving.asked_at,
        is_selling=leaving.sale is not None,
        leave=lambda: leave(trade, again, config),
    )


def close_cycle(trade: Trade, at: int) -> tuple[Trade, list[Intent]]:
    """End a cycle: less than a lot is left, or what is left cannot be sold.

    An entry that has not ended begins the next one.
    """
    position, opened = trade.position, trade.opened
    assert position is not None
    assert opened is not None
    params = opened.params
    until = at + params.cooldown_time if params.use_cooldown else trade.cooldown_until
    closed = Trade(
        trade.cycle + 1,
        opened if trade.pending else None,
        trade.pending,
        failures=trade.failures,
        cooldown_until=until,
    )
    return closed, [Note("closed", "cycle {} is closed; dust {}", (trade.cycle, position.held))]
