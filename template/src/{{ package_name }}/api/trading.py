"""The routes' way to trading, while it runs."""

from typing import Annotated

from fastapi import Depends

from ..core.api.resources import resource
from ..core.errors import ErrorCode
from ..trading.codes import TradingErrorCode
from ..trading.service import Trading, open_trading

TradingDep = Annotated[Trading, Depends(resource(open_trading))]

NOT_NOW = (
    TradingErrorCode.RECONCILING,
    # A route that has a 503 of its own documents each of them.
    ErrorCode.OVERLOADED,
    ErrorCode.SERVICE_UNAVAILABLE,
)
"""Reasons for a 503 where orders are placed."""
