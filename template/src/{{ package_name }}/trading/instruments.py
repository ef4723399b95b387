"""What can be traded, and by which steps."""

from decimal import Decimal

from sqlalchemy import String
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ..core.database.session import Base
from ..core.errors import TradingException
from .errors import TradingError
from .money import AMOUNT, MAX_AMOUNT, bounded, is_multiple, multiply, plain


class Instrument(Base):
    """A pair of currencies. Prices are quote units per base unit; sizes are base units."""

    __tablename__ = "instruments"
    __table_args__ = (
        bounded("price_increment", "> 0"),
        bounded("size_increment", "> 0"),
        bounded("min_notional"),
    )

    symbol: Mapped[str] = mapped_column(String(32), primary_key=True)
    base_currency: Mapped[str] = mapped_column(String(16))
    quote_currency: Mapped[str] = mapped_column(String(16))
    price_increment: Mapped[Decimal] = mapped_column(AMOUNT)
    size_increment: Mapped[Decimal] = mapped_column(AMOUNT)
    min_notional: Mapped[Decimal] = mapped_column(AMOUNT)

    def check(self, qty: Decimal, limit_price: Decimal) -> None:
        """Raise TradingException if the venue would refuse an order of this size and price."""
        if not is_multiple(limit_price, self.price_increment):
            raise TradingException(
                TradingError.INVALID_PRICE_INCREMENT,
                f"limit_price must be a multiple of {plain(self.price_increment)}",
                {"price_increment": plain(self.price_increment)},
            )
        if not is_multiple(qty, self.size_increment):
            raise TradingException(
                TradingError.INVALID_SIZE_INCREMENT,
                f"qty must be a multiple of {plain(self.size_increment)}",
                {"size_increment": plain(self.size_increment)},
            )
        notional = multiply(qty, limit_price)
        if notional < self.min_notional:
            raise TradingException(
                TradingError.NOTIONAL_BELOW_MINIMUM,
                f"qty x limit_price must be at least {plain(self.min_notional)}",
                {"notional": plain(notional), "min_notional": plain(self.min_notional)},
            )
        if notional >= MAX_AMOUNT:
            raise TradingException(
                TradingError.NOTIONAL_ABOVE_MAXIMUM,
                f"qty x limit_price must be less than {plain(MAX_AMOUNT)}",
                {"notional": plain(notional), "max_notional": plain(MAX_AMOUNT)},
            )


async def get_instrument(session: AsyncSession, symbol: str) -> Instrument:
    """The instrument. Raises TradingException INSTRUMENT_NOT_FOUND."""
    instrument = await session.get(Instrument, symbol)
    if instrument is None:
        raise TradingException(
            TradingError.INSTRUMENT_NOT_FOUND,
            f"There is no instrument {symbol}; GET /v1/instruments lists them",
            {"symbol": symbol},
        )
    return instrument
