"""Faults of GRID's settings, and the orders that it would begin with."""

from decimal import Decimal
from itertools import pairwise

from ...market.money import multiply, plain
from ...market.words import OrderType, Side
from ..strategy import Config, Fault, Plan, PlannedOrder
from .levels import levels, nearest
from .params import GridParams, Inventory
from .quantities import buy_quantities, tradable


def find_faults(config: Config[GridParams], price: Decimal | None) -> list[Fault]:
    """Return all faults of the settings; what needs a price is left out where there is none."""
    params, market = config.params, config.market
    found = _faults_of_stops(params, price)
    if len(params.amounts) != params.grid_num:
        found.append(
            Fault(
                "amount",
                f"must be one number, or {params.grid_num} of them; it is {len(params.amounts)}",
                about=("amount", "grid_num"),
            )
        )
    try:
        prices = tuple(
            levels(params.min_price, params.max_price, params.grid_num, market.tick, params.mode)
        )
    except ValueError as error:
        about = ("min_price", "max_price", "grid_num")
        return [*found, Fault("", str(error), about=about)]
    return [*found, *_faults_of_steps(config, prices), *_faults_of_slots(config, prices)]


def _faults_of_stops(params: GridParams, price: Decimal | None) -> list[Fault]:
    found = []
    stop, profit = params.stop_price, params.take_profit_price
    if stop is not None and stop >= params.min_price:
        found.append(
            Fault("stop_price", "must be below min_price", about=("stop_price", "min_price"))
        )
    elif stop is not None and price is not None and stop >= price:
        found.append(Fault("stop_price", f"must be below the price, which is {plain(price)}"))
    if profit is not None and profit <= params.max_price:
        about = ("take_profit_price", "max_price")
        found.append(Fault("take_profit_price", "must be above max_price", about=about))
    elif profit is not None and price is not None and profit <= price:
        found.append(
            Fault("take_profit_price", f"must be above the price, which is {plain(price)}")
        )
    return found


def _faults_of_steps(config: Config[GridParams], prices: tuple[Decimal, ...]) -> list[Fault]:
    """Return a fault if a slot earns no more than its two fees."""
    kept = 1 - config.market.maker
    slots = [
        number
        for number, (low, high) in enumerate(pairwise(prices))
        if multiply(high, multiply(kept, kept)) <= low
    ]
    if not slots:
        return []
    message = (
        f"the levels of slot {slots[0]}, {plain(prices[slots[0]])} and"
        f" {plain(prices[slots[0] + 1])}, are too near: two fees of"
        f" {plain(config.market.maker)} take all that a round trip gains"
    )
    about = ("min_price", "max_price", "grid_num", "mode")
    return [Fault("", message, "GRID_STEP_BELOW_FEES", about)]


def _faults_of_slots(config: Config[GridParams], prices: tuple[Decimal, ...]) -> list[Fault]:
    params, market = config.params, config.market
    if len(params.amounts) != params.grid_num:
        return []
    small = [
        number
        for number, qty in enumerate(buy_quantities(params.amounts, prices, market))
        if tradable(qty, prices[number], market) == 0
    ]
    if not small:
        return []
    names = ", ".join(str(number) for number in small)
    message = (
        f"too little for slot {names}: an order must be at least {plain(market.lot)}"
        f" {market.base_currency} and {plain(market.min_notional)} {market.quote_currency}"
    )
    return [Fault("amount", message, about=("amount", "min_price", "max_price", "grid_num"))]


def make_plan(config: Config[GridParams], price: Decimal) -> Plan:
    """Return the levels and the first orders at this price."""
    params, market = config.params, config.market
    prices = tuple(
        levels(params.min_price, params.max_price, params.grid_num, market.tick, params.mode)
    )
    quantities = buy_quantities(params.amounts, prices, market)
    first = nearest(prices, price)
    to_sell = sum(quantities[first:], Decimal(0))
    buys_first = bool(to_sell) and params.inventory is Inventory.BUY
    orders = []
    if buys_first:
        orders.append(PlannedOrder("start", Side.BUY, OrderType.MARKET, to_sell, None))
    kept = 1 - market.taker if buys_first else Decimal(1)
    for number, qty in enumerate(quantities):
        if number < first:
            order = PlannedOrder(f"g{number}", Side.BUY, OrderType.LIMIT, qty, prices[number])
        else:
            sold = tradable(multiply(qty, kept), prices[number + 1], market)
            order = PlannedOrder(f"g{number}", Side.SELL, OrderType.LIMIT, sold, prices[number + 1])
        orders.append(order)
    quote = sum(
        (multiply(qty, prices[number]) for number, qty in enumerate(quantities[:first])),
        Decimal(0),
    )
    if buys_first:
        quote += multiply(to_sell, price)
    remarks = ["The sells are placed once the first purchase is filled"] if buys_first else []
    return Plan(prices, orders, quote, Decimal(0) if buys_first else to_sell, remarks)
