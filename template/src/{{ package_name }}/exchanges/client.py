"""The verbs of an exchange, and its words: what every adapter has to speak.

An order is known at the exchange by `venue_client_id`, which we choose and store before it is
sent: a request that got no answer is settled by asking for that id, never by assuming.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, Protocol
from uuid import UUID

from ..market.candles import Timeframe
from ..market.words import Liquidity, OrderType, Side, TimeInForce


@dataclass(frozen=True, slots=True)
class VenueOrderRequest:
    """An order as it is sent. `qty` in base units, prices in quote units.

    `worst_price` bounds a market order: nothing is filled beyond it. `valid_until`: an exchange
    that gets the request later does nothing, so that silence after it is an answer.
    `client_order_id` is the owner's own name of the order: only the paper venue looks at it, to
    have the calls go wrong that somebody has scripted for it.
    """

    account_id: UUID
    venue_client_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    qty: Decimal
    limit_price: Decimal | None
    post_only: bool = False
    worst_price: Decimal | None = None
    valid_until: datetime | None = None
    client_order_id: str | None = None


class VenueOrderStatus(StrEnum):
    """State of an order at the exchange; the last four are final."""

    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        return self not in (VenueOrderStatus.NEW, VenueOrderStatus.PARTIALLY_FILLED)


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the exchange knows it. `reason` says why it has ended, in capitals."""

    account_id: UUID
    venue_client_id: str
    venue_order_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    qty: Decimal
    limit_price: Decimal | None
    post_only: bool
    status: VenueOrderStatus
    filled_qty: Decimal
    reason: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class VenueFill:
    """A trade of an order. `trade_id` is unique within the instrument only.

    `fee` is positive where it was charged. `cursor` is what the next look begins after.
    """

    account_id: UUID
    venue_client_id: str
    venue_order_id: str
    symbol: str
    trade_id: str
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    liquidity: Liquidity
    created_at: datetime
    cursor: str


@dataclass(frozen=True, slots=True)
class VenueBalance:
    """Money at the exchange: what is free, and what its open orders have frozen."""

    currency: str
    free: Decimal
    frozen: Decimal


@dataclass(frozen=True, slots=True)
class Quote:
    """The best prices of an instrument and their sizes; a side that is empty is None."""

    symbol: str
    bid: Decimal | None
    bid_qty: Decimal | None
    ask: Decimal | None
    ask_qty: Decimal | None
    last: Decimal | None
    at: datetime


class VenueCandle(NamedTuple):
    """A candle that has ended. Prices in quote units, `volume` in base units."""

    open_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


# --- Outcomes of a request -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Accepted:
    """The exchange has done it, or, for a cancellation, will: only a query tells how it ended."""

    venue_order_id: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The exchange said no, and has done nothing. `reason` in capitals."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The exchange has this id already: ask for it."""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Nobody knows: no answer after it was sent, a 5xx, an unreadable one. Ask for the id."""

    detail: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """Nothing has left the building: send again, under the same id."""

    detail: str


@dataclass(frozen=True, slots=True)
class RateLimited:
    """The exchange has done nothing, and wants fewer requests: wait, the same id again."""

    retry_after: float


@dataclass(frozen=True, slots=True)
class AuthFailed:
    """The exchange does not know us: stop sending for this account. Nothing is rejected."""

    detail: str


@dataclass(frozen=True, slots=True)
class Maintenance:
    """The exchange is closed: keep what waits, and look again later."""

    detail: str


Trouble = Ambiguous | NotSent | RateLimited | AuthFailed | Maintenance
PlaceOutcome = Accepted | Rejected | Duplicate | Trouble
CancelOutcome = Accepted | Rejected | Trouble
TransferOutcome = Accepted | Rejected | Trouble


class VenueError(Exception):
    """A question got no usable answer: it says nothing about what the exchange has.

    `trouble` is its class.
    """

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(str(trouble))
        self.trouble = trouble


class NoCandlesError(Exception):
    """The exchange keeps no such candles, and will have none if it is asked again."""


class ExchangeClient(Protocol):
    """The few verbs. Requests return their outcome; questions raise VenueError without an answer.

    A list is whole, or VenueError is raised: one that was cut off would let orders vanish.
    """

    name: str
    """Of the venue, in fills and on orders."""

    async def place(self, request: VenueOrderRequest) -> PlaceOutcome:
        """Send the order; the same id twice makes one order."""

    async def cancel(self, account_id: UUID, venue_client_id: str) -> CancelOutcome:
        """Ask for the end of the order. Rejected: UNKNOWN_ORDER, ALREADY_CLOSED: ask for it."""

    async def get_order(self, account_id: UUID, venue_client_id: str) -> VenueOrder | None:
        """Return the order, None if the exchange has none of that id."""

    async def open_orders(self, account_id: UUID) -> Sequence[VenueOrder]:
        """Return every open order of the account."""

    async def fills_since(self, account_id: UUID, cursor: str | None) -> Sequence[VenueFill]:
        """Return the account's fills after `cursor`, oldest first; all of them without one."""

    async def balances(self, account_id: UUID) -> Sequence[VenueBalance]:
        """Return what the account has, by currency."""

    async def quote(self, symbol: str) -> Quote | None:
        """Return the best prices now, None if the exchange does not trade it."""

    async def candles(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> Sequence[VenueCandle] | None:
        """Return the candles that open from `start` on and before `end`, oldest first.

        Only those that have ended, so the last one never changes; one that the exchange does not
        have is left out. None if the exchange does not trade it. Raises NoCandlesError.
        """

    async def deposit(
        self, account_id: UUID, transfer_id: str, currency: str, amount: Decimal
    ) -> TransferOutcome:
        """Credit the account; the same `transfer_id` again credits nothing. Paper only."""

    async def deposited(self, account_id: UUID, transfer_id: str) -> bool:
        """Tell whether the exchange has booked that transfer."""

    async def server_time(self) -> datetime:
        """Return the exchange's clock."""
