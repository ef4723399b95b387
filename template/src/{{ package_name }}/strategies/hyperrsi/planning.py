"""Order that HYPERRSI would begin with, and the funds it needs."""

from decimal import Decimal

from ...market.money import plain
from ...market.words import OrderType, Side
from ..strategy import Config, Plan, PlannedOrder
from .ladder import rungs
from .params import HyperRsiParams
from .prices import below, entry_qty
from .state import Opened, Position


def make_plan(config: Config[HyperRsiParams], price: Decimal) -> Plan:
    """Return the first entry, its take-profits, and where the next entries would be from it."""
    params, market = config.params, config.market
    qty = entry_qty(params, 0, price, config)
    held = qty - qty * market.taker
    position = Position(1, qty, qty * price, held)
    opened = Opened(config.version, params)
    targets = rungs(position, opened, 0, config) if qty else ()
    orders = [PlannedOrder("entry", Side.BUY, OrderType.MARKET, qty, None)]
    orders += [
        PlannedOrder(rung.key.role, Side.SELL, OrderType.LIMIT, rung.qty, rung.price)
        for rung in targets
    ]
    needed, budget, reference = Decimal(0), params.investment, price
    adds: list[Decimal] = []
    for _ in range(params.pyramiding_limit):
        needed += budget
        budget *= params.entry_multiplier
        reference = below(reference, params.pyramiding_value, market.tick)
        adds.append(reference)
    levels = [*reversed(adds[:-1]), price, *(rung.price for rung in targets)]
    return Plan(levels, orders, needed, Decimal(0), _remarks(params, adds[:-1], price, config))


def _remarks(
    params: HyperRsiParams,
    adds: list[Decimal],
    price: Decimal,
    config: Config[HyperRsiParams],
) -> list[str]:
    remarks = [f"The first entry waits for a signal: {params.entry_option} of the RSI"]
    if adds:
        remarks.append(
            f"It may add {len(adds)} times, first at {plain(adds[0])} or below; later prices depend"
            " on what the entries have cost"
        )
    if params.use_sl and not params.use_sl_on_last:
        stop = below(price, params.sl_value, config.market.tick)
        remarks.append(f"It sells all when the bid falls to {plain(stop)}")
    if not params.use_sl and not params.use_trend_close:
        remarks.append("It has no stop and does not leave with the trend: a loss has no bound")
    return remarks
