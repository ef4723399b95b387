"""Levels of a grid."""

from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from itertools import pairwise

from .params import Mode

_DIGITS = Context(prec=60)


def levels(low: Decimal, high: Decimal, slots: int, tick: Decimal, mode: Mode) -> list[Decimal]:
    """Return the prices between which the slots lie, each the nearest tick (a half to the even).

    Raises ValueError unless 0 < low < high and they rise with each level.
    """
    if not 0 < low < high:
        raise ValueError("min_price must be above 0 and below max_price")
    with localcontext(_DIGITS):
        if mode is Mode.ARITHMETIC:
            exact = [low + (high - low) * i / slots for i in range(slots + 1)]
        else:
            growth = (high / low).ln() / slots
            exact = [low * (growth * i).exp() for i in range(slots + 1)]
        found = [(price / tick).to_integral_value(ROUND_HALF_EVEN) * tick for price in exact]
    if found[0] <= 0 or any(b <= a for a, b in pairwise(found)):
        raise ValueError(f"{slots} slots between {low} and {high} are finer than the tick {tick}")
    return found


def nearest(found: tuple[Decimal, ...], price: Decimal) -> int:
    """Return the number of the level nearest to the price; of two, the lower one."""
    return min(range(len(found)), key=lambda i: (abs(found[i] - price), i))
