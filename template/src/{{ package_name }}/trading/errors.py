"""What the domain refuses."""

from ..core.errors import ErrorCodeBase


class TradingError(ErrorCodeBase):
    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE", 422, "Insufficient balance"
    INSTRUMENT_NOT_FOUND = "INSTRUMENT_NOT_FOUND", 422, "No such instrument"
    INVALID_PRICE_INCREMENT = "INVALID_PRICE_INCREMENT", 422, "Price between two ticks"
    INVALID_SIZE_INCREMENT = "INVALID_SIZE_INCREMENT", 422, "Quantity between two lots"
    NOTIONAL_BELOW_MINIMUM = "NOTIONAL_BELOW_MINIMUM", 422, "Order too small"
    NOTIONAL_ABOVE_MAXIMUM = "NOTIONAL_ABOVE_MAXIMUM", 422, "Order too large"
    CLIENT_ORDER_ID_REUSED = "CLIENT_ORDER_ID_REUSED", 422, "client_order_id used for another order"
    ORDER_NOT_FOUND = "ORDER_NOT_FOUND", 404, "No such order"
    API_KEY_NOT_FOUND = "API_KEY_NOT_FOUND", 404, "No such API key"
    ACCOUNT_NOT_FOUND = "ACCOUNT_NOT_FOUND", 404, "No such account"
