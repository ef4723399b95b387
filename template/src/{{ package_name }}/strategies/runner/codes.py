"""Error codes of strategies."""

from typing import Any

from ...core.errors import ErrorCodeBase

_FAULT: dict[str, Any] = {
    "param": "investment",
    "message": "Input should be greater than 0",
    "code": "INVALID_PARAMS",
}


class StrategyErrorCode(ErrorCodeBase):
    """Codes of strategies and their settings."""

    STRATEGY_NOT_FOUND = (
        "STRATEGY_NOT_FOUND",
        404,
        "No such strategy",
        {"strategy_id": "019ab0c4-6f70-7b21-9c3d-4e5f60718293"},
    )
    STRATEGY_KIND_NOT_FOUND = (
        "STRATEGY_KIND_NOT_FOUND",
        422,
        "No such kind of strategy",
        {"kind": "moon", "kinds": ["grid"]},
    )
    STRATEGY_EXISTS = "STRATEGY_EXISTS", 409, "Strategy name taken", {"name": "grid-1"}
    SYMBOL_HAS_STRATEGY = (
        "SYMBOL_HAS_STRATEGY",
        409,
        "The account has a running strategy on that instrument",
        {"symbol": "BTC-USDT"},
    )
    INVALID_STRATEGY_PARAMS = (
        "INVALID_STRATEGY_PARAMS",
        422,
        "Settings that can't be",
        {"faults": [_FAULT]},
    )
    STRATEGY_PARAMS_FIXED = (
        "STRATEGY_PARAMS_FIXED",
        409,
        "Settings that can't be changed while it runs",
        {"params": ["min_price"]},
    )
    STRATEGY_NOT_RUNNING = (
        "STRATEGY_NOT_RUNNING",
        409,
        "The strategy does not run",
        {"status": "stopped"},
    )
    STRATEGY_STOPPING = "STRATEGY_STOPPING", 409, "The strategy is being stopped"
