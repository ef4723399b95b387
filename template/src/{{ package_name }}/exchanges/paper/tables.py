"""The venue's tables, in a schema of its own: to the service they are somebody else's.

No foreign key leads out of the schema, and no query joins them with the service's tables: the venue
is what the books are compared with.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Sequence,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from ...core.database.tables import Base, one_of, words
from ...market.columns import AMOUNT, bounded
from ...market.words import Liquidity, OrderType, Side, TimeInForce
from ..client import VenueOrderStatus
from .schema import SCHEMA

metadata = MetaData(schema=SCHEMA, naming_convention=Base.metadata.naming_convention)


def _positive(column: str) -> CheckConstraint:
    """A range check without an upper bound of money: a balance may grow as long as it likes."""
    return CheckConstraint(f"{column} >= 0 AND {column} < 'Infinity'", name=f"{column}_range")


def _time(name: str) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=False)


def _amount(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, AMOUNT, nullable=nullable)


instruments = Table(
    "instruments",
    metadata,
    Column("symbol", String(32), primary_key=True),
    Column("base_currency", String(16), nullable=False),
    Column("quote_currency", String(16), nullable=False),
    _amount("price_increment"),
    _amount("size_increment"),
    # What `last_tick` counts: PriceSource.name, or `posted`.
    Column("source", String(32), nullable=False, server_default=""),
    Column("last_tick", BigInteger, nullable=False, server_default="0"),
    Column("tick_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("trades", BigInteger, nullable=False, server_default="0"),
    Column("ladder", JSONB, nullable=False, server_default=text("""'{"bids": [], "asks": []}'""")),
    bounded("price_increment", "> 0"),
    bounded("size_increment", "> 0"),
)

# Locked by whoever changes an account's money or fills, so that its fills are numbered as they are
# committed, without a gap.
accounts = Table(
    "accounts",
    metadata,
    Column("account_id", Uuid, primary_key=True),
    Column("fills", BigInteger, nullable=False, server_default="0"),
)

balances = Table(
    "balances",
    metadata,
    Column("account_id", ForeignKey(accounts.c.account_id), primary_key=True),
    Column("currency", String(16), primary_key=True),
    Column("free", Numeric, nullable=False),
    Column("frozen", Numeric, nullable=False),
    _positive("free"),
    _positive("frozen"),
)

order_numbers = Sequence("order_numbers", metadata=metadata, data_type=BigInteger)

_IS_OPEN = text("status IN ('new', 'partially_filled')")

orders = Table(
    "orders",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", ForeignKey(accounts.c.account_id), nullable=False),
    Column("venue_client_id", String(64), nullable=False),
    Column("symbol", ForeignKey(instruments.c.symbol), nullable=False),
    Column("side", words(Side, 8), nullable=False),
    Column("type", words(OrderType, 16), nullable=False),
    Column("time_in_force", words(TimeInForce, 8), nullable=False),
    _amount("qty"),
    _amount("limit_price", nullable=True),
    Column("post_only", Boolean, nullable=False),
    _amount("worst_price", nullable=True),
    Column("status", words(VenueOrderStatus, 16), nullable=False),
    _amount("filled_qty"),
    Column("reason", String(32)),
    _time("created_at"),
    _time("updated_at"),
    UniqueConstraint("account_id", "venue_client_id"),
    one_of("side", Side),
    one_of("type", OrderType),
    one_of("time_in_force", TimeInForce),
    one_of("status", VenueOrderStatus),
    bounded("qty", "> 0"),
    bounded("filled_qty"),
    CheckConstraint("filled_qty <= qty", name="not_overfilled"),
    Index("ix_orders_open", "symbol", "side", "limit_price", postgresql_where=_IS_OPEN),
    Index("ix_orders_open_of_account", "account_id", postgresql_where=_IS_OPEN),
)

fills = Table(
    "fills",
    metadata,
    Column("symbol", ForeignKey(instruments.c.symbol)),
    Column("trade_id", BigInteger),
    Column("account_id", ForeignKey(accounts.c.account_id), nullable=False),
    # Counted for each account: the cursor.
    Column("number", BigInteger, nullable=False),
    Column("order_number", ForeignKey(orders.c.number), nullable=False),
    Column("tick", BigInteger, nullable=False),
    _amount("qty"),
    _amount("price"),
    _amount("fee"),
    Column("fee_currency", String(16), nullable=False),
    Column("liquidity", words(Liquidity, 8), nullable=False),
    _time("created_at"),
    PrimaryKeyConstraint("symbol", "trade_id"),
    UniqueConstraint("account_id", "number"),
    one_of("liquidity", Liquidity),
    bounded("qty", "> 0"),
    bounded("price", "> 0"),
    bounded("fee"),
)

transfers = Table(
    "transfers",
    metadata,
    Column("account_id", ForeignKey(accounts.c.account_id), primary_key=True),
    Column("transfer_id", String(64), primary_key=True),
    Column("currency", String(16), nullable=False),
    _amount("amount"),
    _time("created_at"),
    bounded("amount", "> 0"),
)

# How often each verb was called, so that a restart does not repeat the same fault for ever.
requests = Table(
    "requests",
    metadata,
    Column("op", String(16), primary_key=True),
    Column("client_id", String(64), primary_key=True),
    Column("calls", BigInteger, nullable=False),
)

faults = Table(
    "faults",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("op", String(16), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("client_id", String(64)),
    # How often it is still to come.
    Column("times", Integer, nullable=False),
    CheckConstraint("times >= 0", name="times_range"),
)
