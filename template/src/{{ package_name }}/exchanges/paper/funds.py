"""The money of the accounts at the venue, in memory: what is free, and what orders have frozen."""

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass
from decimal import Decimal

ZERO = Decimal(0)


@dataclass(slots=True)
class Balance:
    """An account's money in one currency."""

    free: Decimal = ZERO
    frozen: Decimal = ZERO


class Funds(defaultdict[tuple[Hashable, str], Balance]):
    """Balances by account and currency; one that is not there is empty."""

    def __init__(self) -> None:
        super().__init__(Balance)
