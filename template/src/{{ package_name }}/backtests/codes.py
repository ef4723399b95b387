"""Error codes of backtests."""

from ..core.errors import ErrorCodeBase


class BacktestErrorCode(ErrorCodeBase):
    """Codes of backtests."""

    BACKTEST_INVALID = (
        "BACKTEST_INVALID",
        422,
        "No such backtest can be run",
        {"faults": [{"param": "rsi_length", "message": "must be at least 2"}]},
    )
    BACKTEST_NOT_FOUND = (
        "BACKTEST_NOT_FOUND",
        404,
        "No such backtest",
        {"backtest_id": "019ab0c4-6f70-7b21-9c3d-4e5f60718293"},
    )
    BACKTEST_NOT_DONE = (
        "BACKTEST_NOT_DONE",
        409,
        "The backtest has no result",
        {"status": "running"},
    )
    TOO_MANY_BACKTESTS = (
        "TOO_MANY_BACKTESTS",
        429,
        "Too many backtests wait",
        {"waiting": 10},
    )
