"""Prices and quantities of HYPERRSI, rounded as its market has it."""

from decimal import Decimal

from ...market.money import ceil_to, divide, floor_to, multiply
from ..amounts import changed_by
from ..strategy import Config
from .params import HyperRsiParams


def entry_qty(
    params: HyperRsiParams, entries: int, price: Decimal, config: Config[HyperRsiParams]
) -> Decimal:
    """Return what the entry after so many others buys at this price; 0 if that is too little."""
    budget = params.investment
    for _ in range(entries):
        budget = multiply(budget, params.entry_multiplier)
    return tradable(divide(budget, price), price, config)


def tradable(qty: Decimal, price: Decimal, config: Config[HyperRsiParams]) -> Decimal:
    """Return the whole lots in `qty`, and 0 if these are worth less than an order must be."""
    whole = floor_to(qty, config.market.lot)
    return whole if multiply(whole, price) >= config.market.min_notional else Decimal(0)


def target(average: Decimal, percent: Decimal, tick: Decimal) -> Decimal:
    """Return the price of a take-profit."""
    return ceil_to(changed_by(average, percent), tick)


def below(price: Decimal, percent: Decimal, tick: Decimal) -> Decimal:
    """Return the price so many percent below another one: a stop, or the next entry's."""
    return floor_to(changed_by(price, -percent), tick)
