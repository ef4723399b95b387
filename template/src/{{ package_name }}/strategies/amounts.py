"""Numbers of settings, and percentages of prices."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from ..market.money import multiply, plain

_NUMBER = re.compile(r"(0|[1-9][0-9]{0,19})(\.[0-9]{1,18})?")
_HUNDREDTH = Decimal("0.01")


def _parse(value: Any) -> Decimal:
    text = repr(value) if isinstance(value, float) else str(value)
    if isinstance(value, bool) or not _NUMBER.fullmatch(text):
        raise ValueError("must be a number from 0 on with at most 18 decimals, such as 0.5")
    return Decimal(text)


Number = Annotated[
    Decimal,
    BeforeValidator(_parse),
    PlainSerializer(plain, return_type=str),
    WithJsonSchema({"type": ["string", "number"], "examples": ["0.5"]}),
]
"""A setting that is exact: a JSON number is read as it is written."""


def changed_by(price: Decimal, percent: Decimal) -> Decimal:
    """Return the price plus so many percent of it; these may be less than 0."""
    return multiply(price, multiply(100 + percent, _HUNDREDTH))
