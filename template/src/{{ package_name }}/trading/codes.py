"""Codes of what the domain refuses."""

from ..core.errors import ErrorCodeBase


class TradingErrorCode(ErrorCodeBase):
    """Codes of orders, accounts, deposits and API keys; those of instruments are in `market`."""

    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE", 422, "Insufficient balance"
    CLIENT_ORDER_ID_REUSED = "CLIENT_ORDER_ID_REUSED", 422, "client_order_id used for another order"
    ORDER_NOT_FOUND = "ORDER_NOT_FOUND", 404, "No such order"
    API_KEY_NOT_FOUND = "API_KEY_NOT_FOUND", 404, "No such API key"
    ACCOUNT_NOT_FOUND = "ACCOUNT_NOT_FOUND", 404, "No such account"
    ACCOUNT_EXISTS = "ACCOUNT_EXISTS", 409, "Account name taken"
    CLIENT_DEPOSIT_ID_REUSED = (
        "CLIENT_DEPOSIT_ID_REUSED",
        422,
        "client_deposit_id used for another deposit",
    )
    BALANCE_ABOVE_MAXIMUM = "BALANCE_ABOVE_MAXIMUM", 422, "Balance too large"
