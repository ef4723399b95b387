"""Error codes of candles."""

from ..core.errors import ErrorCodeBase


class CandleErrorCode(ErrorCodeBase):
    """Codes of stored candles, and of those that an exchange has or has not."""

    CANDLES_DIFFER = (
        "CANDLES_DIFFER",
        409,
        "Other candles are stored",
        {"count": 1, "first": "2026-01-01T00:00:00Z"},
    )
    CANDLES_OFF_SCALE = (
        "CANDLES_OFF_SCALE",
        409,
        "Candles between two ticks",
        {"symbol": "BTC-USDT"},
    )
    NO_CANDLES = (
        "NO_CANDLES",
        409,
        "The exchange has no candles",
        {"symbol": "BTC-USDT", "timeframe": "1m"},
    )
    NO_ANSWER = "NO_ANSWER", 503, "The exchange does not answer", {"symbol": "BTC-USDT"}
