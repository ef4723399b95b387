"""PAPER_FAULTS: what goes wrong, and how often, at a venue that is to be as bad as real ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

from .prices import draw


class Op(StrEnum):
    """A verb of the venue that something can go wrong with."""

    PLACE = "place"
    CANCEL = "cancel"
    DEPOSIT = "deposit"
    ORDER = "order"
    OPEN_ORDERS = "open_orders"
    FILLS = "fills"
    BALANCES = "balances"
    QUOTE = "quote"
    CANDLES = "candles"
    DEPOSITED = "deposited"
    TIME = "time"
    ANY = "any"


class Kind(StrEnum):
    """A thing that goes wrong. `before`: the venue has not seen it; `after`: it has done it."""

    NOT_SENT = "not_sent"
    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    HTTP_500_BEFORE = "http_500_before"
    HTTP_500_AFTER = "http_500_after"
    RATE_LIMIT = "rate_limit"
    AUTH = "auth"
    MAINTENANCE = "maintenance"
    REJECT = "reject"
    DUPLICATE = "duplicate"
    REORDER = "reorder"

    @property
    def is_after(self) -> bool:
        return self in (Kind.TIMEOUT_AFTER, Kind.HTTP_500_AFTER)


DELAY: Final = "fills.delay_ticks"
_LONGEST_DELAY: Final = 1_000
_REQUESTS: Final = (Op.PLACE, Op.CANCEL, Op.DEPOSIT)
_OF_FILLS: Final = (Kind.DUPLICATE, Kind.REORDER)


def fits(op: Op, kind: Kind) -> bool:
    """Tell whether that can go wrong with the verb."""
    if kind in _OF_FILLS:
        return op is Op.FILLS
    return kind is not Kind.REJECT or op in _REQUESTS


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Share of the calls in which each thing goes wrong."""

    shares: Mapping[tuple[Op, Kind], Decimal] = field(default_factory=dict)
    delay_ticks: int = 0
    """Ticks for which a fill is not told."""

    def kinds_for(self, op: Op) -> list[tuple[Kind, Decimal]]:
        """Return what may go wrong with a call of the verb, and its share."""
        return [(kind, share) for (of, kind), share in self.shares.items() if of in (op, Op.ANY)]


def parse_faults(text: str) -> FaultPlan:
    """Return the plan of a text such as `place.timeout_after=0.02,fills.delay_ticks=3`.

    Raises ValueError with a sentence about what is wrong.
    """
    shares: dict[tuple[Op, Kind], Decimal] = {}
    delay_ticks = 0
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        if name == DELAY:
            delay_ticks = _ticks(value)
            continue
        op, _, kind = name.rpartition(".")
        shares[fault_named(op or Op.ANY, kind)] = _share(name, value)
    return FaultPlan(shares, delay_ticks)


def fault_named(op: str, kind: str) -> tuple[Op, Kind]:
    """Return the verb and what goes wrong with it. Raises ValueError if there is no such thing."""
    if op not in Op.__members__.values():
        raise ValueError(f"no verb {op!r}; there are: {', '.join(Op)}")
    if kind not in Kind.__members__.values():
        raise ValueError(f"no fault {kind!r}; there are: {', '.join(Kind)}, and {DELAY}")
    if not fits(Op(op), Kind(kind)):
        raise ValueError(f"{kind} is no fault of {op}")
    return Op(op), Kind(kind)


def is_hit(seed: str, op: Op, kind: Kind, client_id: str, call: int, share: Decimal) -> bool:
    """Tell whether this call is one of the share; always the same for the same call."""
    return draw(seed, "fault", kind, op, client_id, call) < share * 2**32


def _share(name: str, value: str) -> Decimal:
    try:
        share = Decimal(value)
    except InvalidOperation:
        share = Decimal("NaN")
    if not (share.is_finite() and 0 <= share <= 1):
        raise ValueError(f"{name} needs a share of the calls, from 0 to 1, such as {name}=0.02")
    return share


def _ticks(value: str) -> int:
    if not (value.isascii() and value.isdigit() and int(value) <= _LONGEST_DELAY):
        raise ValueError(f"{DELAY} needs a whole number, at most {_LONGEST_DELAY}")
    return int(value)
