"""What the routes use of trading, while it runs."""

from typing import Annotated

from fastapi import Depends

from ..core.api.resources import resource
from ..trading.service import Trading, open_trading

TradingDep = Annotated[Trading, Depends(resource(open_trading))]
