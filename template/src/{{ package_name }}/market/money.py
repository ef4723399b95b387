"""Exact amounts: `Decimal` in Python, `NUMERIC(38,18)` in PostgreSQL, a string in JSON."""

import re
from contextlib import AbstractContextManager
from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    Inexact,
    localcontext,
)
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, StringConstraints, WithJsonSchema

MAX_AMOUNT = Decimal(10) ** 20  # NUMERIC(38,18) holds less than this

_PLAIN = re.compile(r"(0|[1-9][0-9]{0,19})(\.[0-9]{1,18})?")
# Wide enough for the product of two amounts; a result that would still be rounded is an error.
_EXACT = Context(prec=80, traps=[Inexact])
_WIDE = Context(prec=80)
_SMALLEST = Decimal("1e-18")


def multiply(a: Decimal, b: Decimal) -> Decimal:
    """The exact product. (Python's default context rounds to 28 digits.)"""
    return _EXACT.multiply(a, b)


def exact() -> AbstractContextManager[Context]:
    """Have `+ - *` of the block be exact: what would be rounded raises decimal.Inexact instead."""
    return localcontext(_EXACT)


def rounded(amount: Decimal) -> Decimal:
    """Return the amount to the nearest 18 decimals, which is what a column can hold."""
    return amount.quantize(_SMALLEST, ROUND_HALF_EVEN, context=_WIDE)


def divide(a: Decimal, b: Decimal) -> Decimal:
    """Return a / b, rounded to the nearest 18 decimals."""
    return rounded(_WIDE.divide(a, b))


def cost(qty: Decimal, price: Decimal) -> Decimal:
    """Return what `qty` costs at `price`: their product, rounded up to 18 decimals."""
    return multiply(qty, price).quantize(_SMALLEST, ROUND_CEILING, context=_WIDE)


def proceeds(qty: Decimal, price: Decimal) -> Decimal:
    """Return what `qty` brings at `price`: their product, rounded down to 18 decimals."""
    return multiply(qty, price).quantize(_SMALLEST, ROUND_FLOOR, context=_WIDE)


def floor_to(amount: Decimal, increment: Decimal) -> Decimal:
    """Return the largest multiple of `increment` that is not above `amount`."""
    return multiply(_WIDE.divide(amount, increment).to_integral_value(ROUND_FLOOR), increment)


def ceil_to(amount: Decimal, increment: Decimal) -> Decimal:
    """Return the smallest multiple of `increment` that is not below `amount`."""
    return multiply(_WIDE.divide(amount, increment).to_integral_value(ROUND_CEILING), increment)


def is_multiple(amount: Decimal, increment: Decimal) -> bool:
    return _EXACT.remainder(amount, increment) == 0


def plain(amount: Decimal) -> str:
    """Return the number without exponent and trailing zeros: `0.00001`, `100`."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _parse(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str):
        raise ValueError('send an amount as a string, such as "0.01"; a JSON number loses digits')
    if not _PLAIN.fullmatch(value):
        raise ValueError(
            'an amount is digits with at most 18 decimals, such as "0.01" or "50000", below 1e20'
        )
    return Decimal(value)


def _parse_positive(value: Any) -> Decimal:
    amount = _parse(value)
    if amount <= 0:
        raise ValueError("an amount must be more than 0")
    return amount


def _plain_signed(amount: Decimal) -> str:
    return plain(amount) if amount else "0"  # there is a zero below zero


_JSON_SCHEMA = WithJsonSchema(
    {"type": "string", "pattern": f"^{_PLAIN.pattern}$", "examples": ["0.01"]}
)

Amount = Annotated[
    Decimal, BeforeValidator(_parse), PlainSerializer(plain, return_type=str), _JSON_SCHEMA
]
PositiveAmount = Annotated[
    Decimal, BeforeValidator(_parse_positive), PlainSerializer(plain, return_type=str), _JSON_SCHEMA
]
SignedAmount = Annotated[
    Decimal,
    PlainSerializer(_plain_signed, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^-?{_PLAIN.pattern}$", "examples": ["-0.01"]}),
]
"""An amount that this service answers, and that may be less than 0."""

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,16}$")]
