"""Prometheus metrics of orders and fills. Each counts once it is committed."""

from prometheus_client import Counter, Gauge

from ..market.instruments import InstrumentErrorCode
from .codes import DENIALS, TradingErrorCode
from .fills import FillFlag

PLACED = Counter("orders_placed", "Orders placed", ["symbol", "side"])
REPEATED = Counter("orders_repeated", "Orders sent again, which were there already")
REFUSED = Counter("orders_refused", "Orders refused, by error code", ["code"])
CANCELED = Counter("orders_canceled", "Orders canceled by their owner", ["symbol", "side"])
DRIFT = Gauge("reconciliation_drifting_accounts", "Accounts whose books differ from the exchange")
MISSED_FILLS = Counter("reconciliation_missed_fills", "Fills that only reconciliation has found")
BOOKED = Counter("fills_booked", "Fills booked", ["symbol", "side"])
FLAGGED = Counter("fills_flagged", "Fills that somebody has to look at, by reason", ["flag"])

# From the start, or else the first refusal would be no increase.
for _code in (
    *InstrumentErrorCode,
    TradingErrorCode.INSUFFICIENT_BALANCE,
    *DENIALS,
    TradingErrorCode.CLIENT_ORDER_ID_REUSED,
):
    REFUSED.labels(_code)
for _flag in (*FillFlag, "conflict"):
    FLAGGED.labels(_flag)
