"""Instruments: what can be traded, and by which steps."""

from dataclasses import asdict, dataclass
from decimal import Decimal

from sqlalchemy import String, bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ..core.database.memo import memo_of
from ..core.database.tables import Base
from ..core.database.transactions import Source, execute_single
from ..core.errors import ErrorCode, ErrorCodeBase, TradingException
from .columns import AMOUNT, bounded
from .money import (
    MAX_AMOUNT,
    is_multiple,
    multiply,
    plain,
)
from .words import Symbol as Symbol

KNOWN_SECONDS = 5.0
"""For so long a process may use what it knows of an instrument."""


class InstrumentErrorCode(ErrorCodeBase):
    """Codes of instruments, and of an order that does not fit its own."""

    INSTRUMENT_NOT_FOUND = (
        "INSTRUMENT_NOT_FOUND",
        422,
        "No such instrument",
        {"symbol": "BTC-EUR"},
    )
    INSTRUMENT_EXISTS = (
        "INSTRUMENT_EXISTS",
        409,
        "Instrument symbol taken",
        {"symbol": "BTC-USDT"},
    )
    INVALID_PRICE_INCREMENT = (
        "INVALID_PRICE_INCREMENT",
        422,
        "Price between two ticks",
        {"price_increment": "0.01"},
    )
    INVALID_SIZE_INCREMENT = (
        "INVALID_SIZE_INCREMENT",
        422,
        "Quantity between two lots",
        {"size_increment": "0.00001"},
    )
    NOTIONAL_BELOW_MINIMUM = (
        "NOTIONAL_BELOW_MINIMUM",
        422,
        "Order too small",
        {"notional": "0.5", "min_notional": "1"},
    )
    NOTIONAL_ABOVE_MAXIMUM = (
        "NOTIONAL_ABOVE_MAXIMUM",
        422,
        "Order too large",
        {"notional": "100000000000000000000", "max_notional": "100000000000000000000"},
    )


class Instrument(Base):
    """A table of pairs of currencies. Prices are quote units per base unit, sizes base units."""

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

    def unfit(self, qty: Decimal, limit_price: Decimal | None) -> TradingException | None:
        """Return why no order can have this size and price, None if one can."""
        if limit_price is not None and not is_multiple(limit_price, self.price_increment):
            return TradingException(
                InstrumentErrorCode.INVALID_PRICE_INCREMENT,
                f"limit_price must be a multiple of {plain(self.price_increment)}",
                {"price_increment": plain(self.price_increment)},
            )
        if not is_multiple(qty, self.size_increment):
            return TradingException(
                InstrumentErrorCode.INVALID_SIZE_INCREMENT,
                f"qty must be a multiple of {plain(self.size_increment)}",
                {"size_increment": plain(self.size_increment)},
            )
        if limit_price is not None and (notional := multiply(qty, limit_price)) >= MAX_AMOUNT:
            return TradingException(
                InstrumentErrorCode.NOTIONAL_ABOVE_MAXIMUM,
                f"qty x limit_price must be less than {plain(MAX_AMOUNT)}",
                {"notional": plain(notional), "max_notional": plain(MAX_AMOUNT)},
            )
        return None

    def too_small(self, qty: Decimal, price: Decimal) -> TradingException | None:
        """Return the refusal of an order that is worth too little, None if it is enough."""
        notional = multiply(qty, price)
        if notional >= self.min_notional:
            return None
        return TradingException(
            InstrumentErrorCode.NOTIONAL_BELOW_MINIMUM,
            f"qty x limit_price must be at least {plain(self.min_notional)}",
            {"notional": plain(notional), "min_notional": plain(self.min_notional)},
        )


@dataclass(frozen=True)
class InstrumentRequest:
    """An instrument as somebody adds it."""

    symbol: str
    base_currency: str
    quote_currency: str
    price_increment: Decimal
    size_increment: Decimal
    min_notional: Decimal


async def add_instrument(session: AsyncSession, request: InstrumentRequest) -> Instrument:
    """Add an instrument and return it.

    Raises TradingException INSTRUMENT_EXISTS, or VALIDATION_FAILED if it trades a currency for
    itself.
    """
    if request.base_currency == request.quote_currency:
        raise TradingException(
            ErrorCode.VALIDATION_FAILED, "base_currency and quote_currency must differ"
        )
    instrument: Instrument | None = await session.scalar(
        insert(Instrument).values(**asdict(request)).on_conflict_do_nothing().returning(Instrument)
    )
    if instrument is None:
        raise TradingException(
            InstrumentErrorCode.INSTRUMENT_EXISTS,
            f"There is an instrument {request.symbol} already",
            {"symbol": request.symbol},
        )
    return instrument


_BY_SYMBOL = select(Instrument.__table__).where(Instrument.symbol == bindparam("symbol"))


async def get_instrument(source: Source, symbol: str) -> Instrument:
    """Return the instrument as it was at most 5 seconds ago; it is for reading.

    Raises TradingException INSTRUMENT_NOT_FOUND.
    """

    async def read() -> Instrument | None:
        rows = await execute_single(source, _BY_SYMBOL, {"symbol": symbol})
        return Instrument.of_row(rows[0]) if rows else None

    instrument = await memo_of(source).read(("instrument", symbol), KNOWN_SECONDS, read)
    if instrument is None:
        raise TradingException(
            InstrumentErrorCode.INSTRUMENT_NOT_FOUND,
            f"There is no instrument {symbol}; GET /v1/instruments lists them",
            {"symbol": symbol},
        )
    return instrument


async def list_instruments(session: AsyncSession) -> list[Instrument]:
    """Return every instrument, by symbol."""
    return list(await session.scalars(select(Instrument).order_by(Instrument.symbol)))
