"""Error codes of the domain."""

from ..core.errors import ErrorCodeBase


class TradingErrorCode(ErrorCodeBase):
    """Codes of orders, accounts, deposits and API keys; those of instruments are in `market`."""

    INSUFFICIENT_BALANCE = (
        "INSUFFICIENT_BALANCE",
        422,
        "Insufficient balance",
        {"currency": "USDT", "required": "1000000", "available": "100000"},
    )
    CLIENT_ORDER_ID_REUSED = (
        "CLIENT_ORDER_ID_REUSED",
        422,
        "client_order_id used for another order",
        {"client_order_id": "a1", "different": ["qty"]},
    )
    ORDER_NOT_FOUND = (
        "ORDER_NOT_FOUND",
        404,
        "No such order",
        {"order_id": "019ab0c4-6f70-7b21-9c3d-4e5f60718293"},
    )
    FILL_NOT_FOUND = (
        "FILL_NOT_FOUND",
        404,
        "No such fill",
        {"fill_id": "019ab0c4-6f70-7b21-9c3d-4e5f60718293"},
    )
    POSITION_NOT_FOUND = "POSITION_NOT_FOUND", 404, "No such position", {"symbol": "BTC-USDT"}
    API_KEY_NOT_FOUND = "API_KEY_NOT_FOUND", 404, "No such API key"
    ACCOUNT_NOT_FOUND = (
        "ACCOUNT_NOT_FOUND",
        404,
        "No such account",
        {"account_id": "019ab0c4-5e6f-7a10-8b2c-3d4e5f607182"},
    )
    ACCOUNT_EXISTS = "ACCOUNT_EXISTS", 409, "Account name taken", {"name": "fund1"}
    CLIENT_DEPOSIT_ID_REUSED = (
        "CLIENT_DEPOSIT_ID_REUSED",
        422,
        "client_deposit_id used for another deposit",
        {"client_deposit_id": "d1", "different": ["amount"]},
    )
    DEPOSIT_NOT_CONFIRMED = (
        "DEPOSIT_NOT_CONFIRMED",
        503,
        "Deposit not confirmed by the exchange",
        {"client_deposit_id": "d1"},
    )
    BALANCE_ABOVE_MAXIMUM = (
        "BALANCE_ABOVE_MAXIMUM",
        422,
        "Balance too large",
        {"currency": "USDT", "amount": "99999999999999999999"},
    )
