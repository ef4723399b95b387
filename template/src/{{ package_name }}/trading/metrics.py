"""Prometheus metrics of orders and fills. Each counts once it is committed."""

from prometheus_client import Counter, Gauge

from ..market.instruments import InstrumentErrorCode
from .codes import DENIALS, TradingErrorCode
from .fills import FillFlag

PLACED = Counter("orders_placed", "Orders placed", ["symbol", "side"])
REPEATED = Counter("orders_repeated", "Orders sent again, which were there already")
REFUSED = Counter("orders_refused", "Orders refused, by error code", ["code"])
CANCELED = Counter("orders_canceled", "Orders canceled by their owner", ["symbol", "side"])
DRIFT = Gauge(
    "reconciliation_drifting_accounts",
    "Accounts whose books differ from the exchange",
    multiprocess_mode="livemax",
)
RECONCILED = Gauge(
    "reconciliation_done",
    "1 once every account was compared with the exchange since the start, else 0",
    multiprocess_mode="livemin",
)
NOT_COMPARED = Gauge(
    "reconciliation_failed_accounts",
    "Accounts that could not be compared with the exchange when it was tried last",
    multiprocess_mode="livemax",
)
MISSED_FILLS = Counter("reconciliation_missed_fills", "Fills that only reconciliation has found")
BOOKED = Counter("fills_booked", "Fills booked", ["symbol", "side"])
FLAGGED = Counter("fills_flagged", "Fills that somebody has to look at, by reason", ["flag"])
CALLS = Counter("exchange_calls", "Commands sent to the exchange", ["command", "outcome"])
DAILY_LOSSES = Counter("daily_losses", "Times that an account was set to `reducing` for its losses")
READERS = Gauge("stream_readers", "Streams that are followed", multiprocess_mode="livesum")

# Of the database: each process shows the same.
OPEN_ORDERS = Gauge(
    "orders_open", "Orders that are open, by status", ["status"], multiprocess_mode="livemostrecent"
)
OUTBOX = Gauge(
    "outbox_commands", "Commands that wait", ["command"], multiprocess_mode="livemostrecent"
)
OUTBOX_AGE = Gauge(
    "outbox_oldest_seconds",
    "Age of the oldest command that waits and that no trading state holds back",
    multiprocess_mode="livemostrecent",
)
RESTRICTED = Gauge(
    "trading_restricted",
    "Accounts with that trading state; the whole service counts as one",
    ["state"],
    multiprocess_mode="livemostrecent",
)

# From the start, or else the first refusal would be no increase.
for _code in (
    *InstrumentErrorCode,
    TradingErrorCode.INSUFFICIENT_BALANCE,
    *DENIALS,
    TradingErrorCode.CLIENT_ORDER_ID_REUSED,
):
    REFUSED.labels(_code)
for _command in ("place", "cancel", "deposit"):
    CALLS.labels(_command, "accepted")
for _flag in (*FillFlag, "conflict"):
    FLAGGED.labels(_flag)
