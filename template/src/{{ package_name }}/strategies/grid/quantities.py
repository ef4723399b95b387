"""Quantities of a grid, rounded as its market has it."""

from decimal import Decimal

from ...market.money import divide, floor_to, multiply
from ..strategy import Market


def tradable(qty: Decimal, price: Decimal, market: Market) -> Decimal:
    """Return the whole lots in `qty`, and 0 if these are worth less than an order must be."""
    whole = floor_to(qty, market.lot)
    return whole if whole > 0 and multiply(whole, price) >= market.min_notional else Decimal(0)


def buy_quantities(
    amounts: tuple[Decimal, ...], found: tuple[Decimal, ...], market: Market
) -> tuple[Decimal, ...]:
    """Return what each slot buys with its amount at its lower level."""
    return tuple(
        floor_to(divide(amount, price), market.lot)
        for amount, price in zip(amounts, found, strict=False)
    )
