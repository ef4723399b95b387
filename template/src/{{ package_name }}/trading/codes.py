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
    QUANTITY_EXCEEDS_MAX_PER_ORDER = (
        "QUANTITY_EXCEEDS_MAX_PER_ORDER",
        422,
        "Order quantity above the limit",
        {"qty": "2000", "max_order_qty": "1000"},
    )
    NOTIONAL_EXCEEDS_MAX_PER_ORDER = (
        "NOTIONAL_EXCEEDS_MAX_PER_ORDER",
        422,
        "Order value above the limit",
        {"notional": "5000000", "max_order_notional": "1000000"},
    )
    OPEN_ORDERS_EXCEED_MAX = (
        "OPEN_ORDERS_EXCEED_MAX",
        422,
        "Too many open orders",
        {"open_orders": 500, "max_open_orders": 500},
    )
    POSITION_EXCEEDS_MAX = (
        "POSITION_EXCEEDS_MAX",
        422,
        "Position above the limit",
        {"position": "10001", "max_position": "10000"},
    )
    RATE_LIMIT_EXCEEDED = (
        "RATE_LIMIT_EXCEEDED",
        422,
        "Too many orders in a second",
        {"max_orders_per_second": 100},
    )
    PRICE_OUTSIDE_COLLAR = (
        "PRICE_OUTSIDE_COLLAR",
        422,
        "Price too far from the last one",
        {"limit_price": "60000", "last_price": "50000", "worst_price": "55000"},
    )
    PRICE_STALE = (
        "PRICE_STALE",
        422,
        "No recent price",
        {"symbol": "BTC-USDT"},
    )
    TRADING_HALTED = (
        "TRADING_HALTED",
        422,
        "Trading is halted",
        {"reason": "a look at the books"},
    )
    TRADING_STATE_REDUCING = (
        "TRADING_STATE_REDUCING",
        422,
        "Only orders that reduce a position",
        {"reason": "the daily loss is reached"},
    )
    NOTHING_TO_SELL = (
        "NOTHING_TO_SELL",
        422,
        "Nothing that can be sold",
        {"symbol": "BTC-USDT", "sellable": "0"},
    )
    NO_QUOTE = "NO_QUOTE", 404, "No prices", {"symbol": "BTC-EUR"}
    RECONCILING = (
        "RECONCILING",
        503,
        "The books are being compared with the exchange",
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


DENIALS = (
    TradingErrorCode.QUANTITY_EXCEEDS_MAX_PER_ORDER,
    TradingErrorCode.NOTIONAL_EXCEEDS_MAX_PER_ORDER,
    TradingErrorCode.OPEN_ORDERS_EXCEED_MAX,
    TradingErrorCode.POSITION_EXCEEDS_MAX,
    TradingErrorCode.RATE_LIMIT_EXCEEDED,
    TradingErrorCode.PRICE_OUTSIDE_COLLAR,
    TradingErrorCode.PRICE_STALE,
    TradingErrorCode.TRADING_HALTED,
    TradingErrorCode.TRADING_STATE_REDUCING,
)
"""The reasons of risk and of the trading state; an order that is denied for one is stored."""
