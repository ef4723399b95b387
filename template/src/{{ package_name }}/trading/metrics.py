"""Prometheus metrics of orders. An order counts once it is committed."""

from prometheus_client import Counter

from .errors import TradingError

PLACED = Counter("orders_placed", "Orders placed", ["symbol", "side"])
REPEATED = Counter("orders_repeated", "Orders sent again, which were there already")
REFUSED = Counter("orders_refused", "Orders refused, by error code", ["code"])
CANCELED = Counter("orders_canceled", "Orders canceled by their owner", ["symbol", "side"])

for _code in TradingError:  # from the start, or else the first refusal would be no increase
    if _code.status == 422:
        REFUSED.labels(_code)
