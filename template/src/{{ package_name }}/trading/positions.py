"""Positions: what an account has bought and sold of an instrument, and what it made of it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, String, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ..core.database.tables import Base
from ..core.errors import TradingException
from ..market.columns import AMOUNT, bounded
from ..market.instruments import Instrument
from ..market.money import cost, divide, exact, multiply, plain, proceeds, rounded
from ..market.words import Side
from .codes import TradingErrorCode


class Position(Base):
    """A table of positions: each the fold of the account's fills of one instrument, see `fold`.

    Open orders may still buy `buying` and sell `selling` of it.
    """

    __tablename__ = "positions"
    __table_args__ = (
        *(
            CheckConstraint(f"{column} > -1e20 AND {column} < 1e20", name=f"{column}_range")
            for column in ("qty", "cost", "realized_pnl", "fees")
        ),
        bounded("buying"),
        bounded("selling"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    symbol: Mapped[str] = mapped_column(String(32), primary_key=True)
    qty: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0), server_default="0")
    cost: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0), server_default="0")
    realized_pnl: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0), server_default="0")
    fees: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0), server_default="0")
    buying: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0), server_default="0")
    selling: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0), server_default="0")
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    @property
    def holding(self) -> "Holding":
        return Holding(self.qty, self.cost, self.realized_pnl, self.fees)

    @holding.setter
    def holding(self, holding: "Holding") -> None:
        self.qty, self.cost = holding.qty, holding.cost
        self.realized_pnl, self.fees = holding.realized_pnl, holding.fees


# --- The fold ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Holding:
    """Result of the trades in an instrument.

    `qty` in base units: what was bought less what was sold. (Deposits are no trades: who sells
    deposited coins has less than 0.) `cost` is what that quantity was bought for, `realized_pnl`
    is before `fees`; all three in quote units.

    At any price: the money that trades brought + qty x price = realized + unrealized - fees.
    """

    qty: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    realized_pnl: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)

    @property
    def avg_price(self) -> Decimal | None:
        """Price of a base unit on average; None without any."""
        return divide(self.cost, self.qty) if self.qty else None

    def unrealized_pnl(self, price: Decimal) -> Decimal:
        """Profit if all of it were sold at that price."""
        with exact():
            return rounded(self.qty * price - self.cost)

    def is_dust(self, instrument: Instrument) -> bool:
        """Tell whether it is a rest too small to be sold."""
        return 0 < self.qty < instrument.size_increment


@dataclass(frozen=True, slots=True)
class Trade:
    """A fill as far as a position is concerned; each fee in the currency that it was charged in.

    A fee in a third currency is in the ledger only: nothing tells what it is worth.
    """

    side: Side
    qty: Decimal
    price: Decimal
    base_fee: Decimal = Decimal(0)
    quote_fee: Decimal = Decimal(0)


def fold(holding: Holding, trade: Trade) -> Holding:
    """Return the holding after a trade, by average cost; pure, and exact to the last digit.

    A fee in the base currency counts as sold at the trade's price to pay it.
    """
    charged = rounded(multiply(trade.base_fee, trade.price))
    with exact():
        if trade.side is Side.BUY:
            change = trade.qty - trade.base_fee
            paid = cost(trade.qty, trade.price) - charged
        else:
            change = -(trade.qty + trade.base_fee)
            paid = -(proceeds(trade.qty, trade.price) + charged)
        fees = holding.fees + charged + trade.quote_fee
        qty = holding.qty + change
        if not change or holding.qty * change < 0:
            return _reduced(holding, change, paid, qty, fees)
        return Holding(qty, holding.cost + paid, holding.realized_pnl, fees)


def _reduced(
    holding: Holding, change: Decimal, paid: Decimal, qty: Decimal, fees: Decimal
) -> Holding:
    """Close a part, or all and open the other side; call it within `exact()`."""
    if abs(change) <= abs(holding.qty):
        part = divide(multiply(holding.cost, abs(change)), abs(holding.qty)) if change else change
        return Holding(qty, holding.cost - part, holding.realized_pnl - part - paid, fees)
    closing = divide(multiply(paid, abs(holding.qty)), abs(change))
    return Holding(qty, paid - closing, holding.realized_pnl - holding.cost - closing, fees)


# --- Rows ----------------------------------------------------------------------------------------


_LOCK = (
    select(Position)
    .where(Position.account_id == bindparam("account_id"), Position.symbol == bindparam("symbol"))
    .with_for_update()
    .execution_options(populate_existing=True)
)


async def lock_position(session: AsyncSession, account_id: UUID, symbol: str) -> Position:
    """Lock the account's position and return it, a new one where there is none."""
    key = {"account_id": account_id, "symbol": symbol}
    position = await session.scalar(_LOCK, key)
    if position is None:
        await session.execute(insert(Position).values(key).on_conflict_do_nothing())
        position = (await session.scalars(_LOCK, key)).one()
    return position


async def list_positions(
    session: AsyncSession, account_id: UUID, *, after: str | None = None, limit: int
) -> list[tuple[Position, Instrument]]:
    """Return at most `limit` positions with their instruments, by symbol, those beyond `after`."""
    query = _WITH_INSTRUMENT.where(Position.account_id == account_id)
    if after is not None:
        query = query.where(Position.symbol > after)
    rows = await session.execute(query.order_by(Position.symbol).limit(limit))
    return [(position, instrument) for position, instrument in rows]


async def get_position(
    session: AsyncSession, account_id: UUID, symbol: str
) -> tuple[Position, Instrument]:
    """Return the account's position with its instrument.

    Raises TradingException POSITION_NOT_FOUND where it has never had an order of that symbol.
    """
    query = _WITH_INSTRUMENT.where(Position.account_id == account_id, Position.symbol == symbol)
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise TradingException(
            TradingErrorCode.POSITION_NOT_FOUND,
            f"There is no position in {symbol}",
            {"symbol": symbol},
        )
    position, instrument = found
    return position, instrument


_WITH_INSTRUMENT = select(Position, Instrument).join(
    Instrument, Instrument.symbol == Position.symbol
)


def position_event(position: Position, instrument: Instrument) -> dict[str, Any]:
    """Return the data of an event: the position as the API has it, without what prices change."""
    holding = position.holding
    return {
        "account_id": str(position.account_id),
        "symbol": position.symbol,
        "qty": plain(holding.qty),
        "avg_price": None if holding.avg_price is None else plain(holding.avg_price),
        "realized_pnl": plain(holding.realized_pnl),
        "fees": plain(holding.fees),
        "dust": holding.is_dust(instrument),
    }
