"""Closing a position: the order that sells it."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from ...core.errors import TradingException
from ...market.money import exact, floor_to, plain
from ...market.words import OrderType, Side, TimeInForce
from ..balances import Balance
from ..codes import TradingErrorCode
from ..positions import get_position
from .placing import OrderRequest
from .queries import find_order


async def closing_order(
    session: AsyncSession,
    account_id: UUID,
    symbol: str,
    qty: Decimal | None,
    client_order_id: str,
) -> OrderRequest:
    """Return the market order that sells `qty` of the position, or all of it that can be sold.

    That is what neither open orders sell already nor is a rest below one lot, and no more than is
    available: a fee in the base currency makes a position smaller than what was bought.

    Raises TradingException POSITION_NOT_FOUND or NOTHING_TO_SELL.
    """
    position, instrument = await get_position(session, account_id, symbol)
    placed = await find_order(session, account_id, client_order_id)
    if qty is None and placed is not None:
        qty = placed.qty  # what was open to sell when it was asked for the first time
    elif qty is None:
        key = (account_id, instrument.base_currency)
        balance = await session.get(Balance, key, populate_existing=True)
        with exact():
            free = position.qty - position.selling
        most = min(free, balance.available if balance else Decimal(0))
        qty = floor_to(most, instrument.size_increment)
    if qty <= 0:
        raise TradingException(
            TradingErrorCode.NOTHING_TO_SELL,
            f"Of {symbol}, {plain(position.qty)} is the position, and nothing of it can be sold",
            {"symbol": symbol, "sellable": "0"},
        )
    return OrderRequest(client_order_id, symbol, Side.SELL, OrderType.MARKET, TimeInForce.IOC, qty)
