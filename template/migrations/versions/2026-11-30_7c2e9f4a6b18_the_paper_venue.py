"""the paper venue"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "7c2e9f4a6b18"
down_revision: str | Sequence[str] | None = "4d8e61b7f0a3"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# The venue has a schema of its own: `paper` beside `public`, `trading_paper` beside `trading`. What
# follows is done there; where the role may not make the schema, somebody else has to.
INTO_THE_VENUES_SCHEMA = """
DO $$
DECLARE
    own text := current_schema();
    venue text := CASE own WHEN 'public' THEN 'paper' ELSE own || '_paper' END;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = venue) THEN
        EXECUTE format('CREATE SCHEMA %I', venue);
    END IF;
    PERFORM set_config('paper.left', current_setting('search_path'), true);
    PERFORM set_config('search_path', quote_ident(venue), true);
EXCEPTION WHEN insufficient_privilege THEN
    RAISE insufficient_privilege USING MESSAGE = format(
        'the role may not make the schema of the paper venue; let PostgreSQL''s administrator'
        ' execute CREATE SCHEMA %I AUTHORIZATION %I', venue, current_user);
END $$
"""
AND_BACK = "SELECT set_config('search_path', current_setting('paper.left'), true)"


def upgrade() -> None:
    op.execute(INTO_THE_VENUES_SCHEMA)
    create_tables()
    op.execute(AND_BACK)


def create_tables() -> None:
    op.execute("CREATE SEQUENCE order_numbers AS bigint")
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("fills", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_accounts")),
    )
    op.create_table(
        "faults",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("op", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=True),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.CheckConstraint("times >= 0", name=op.f("ck_faults_times_range")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_faults")),
    )
    op.create_table(
        "instruments",
        sa.Column("symbol", sa.String(length=32), nullable=False),
        sa.Column("base_currency", sa.String(length=16), nullable=False),
        sa.Column("quote_currency", sa.String(length=16), nullable=False),
        sa.Column("price_increment", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("size_increment", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("source", sa.String(length=32), server_default="", nullable=False),
        sa.Column("last_tick", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "tick_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("trades", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "ladder",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text('\'{"bids": [], "asks": []}\''),
            nullable=False,
        ),
        sa.CheckConstraint(
            "price_increment > 0 AND price_increment < 1e20",
            name=op.f("ck_instruments_price_increment_range"),
        ),
        sa.CheckConstraint(
            "size_increment > 0 AND size_increment < 1e20",
            name=op.f("ck_instruments_size_increment_range"),
        ),
        sa.PrimaryKeyConstraint("symbol", name=op.f("pk_instruments")),
    )
    op.create_table(
        "requests",
        sa.Column("op", sa.String(length=16), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("op", "client_id", name=op.f("pk_requests")),
    )
    op.create_table(
        "balances",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.String(length=16), nullable=False),
        sa.Column("free", sa.Numeric(), nullable=False),
        sa.Column("frozen", sa.Numeric(), nullable=False),
        sa.CheckConstraint("free >= 0 AND free < 'Infinity'", name=op.f("ck_balances_free_range")),
        sa.CheckConstraint(
            "frozen >= 0 AND frozen < 'Infinity'", name=op.f("ck_balances_frozen_range")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_balances_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", "currency", name=op.f("pk_balances")),
    )
    op.create_table(
        "orders",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("venue_client_id", sa.String(length=64), nullable=False),
        sa.Column("symbol", sa.String(length=32), nullable=False),
        sa.Column("side", sa.String(length=8), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("time_in_force", sa.String(length=8), nullable=False),
        sa.Column("qty", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("limit_price", sa.Numeric(precision=38, scale=18), nullable=True),
        sa.Column("post_only", sa.Boolean(), nullable=False),
        sa.Column("worst_price", sa.Numeric(precision=38, scale=18), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("filled_qty", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("side IN ('buy', 'sell')", name=op.f("ck_orders_side")),
        sa.CheckConstraint(
            "status IN ('new', 'partially_filled', 'filled', 'canceled', 'rejected', 'expired')",
            name=op.f("ck_orders_status"),
        ),
        sa.CheckConstraint(
            "time_in_force IN ('gtc', 'ioc', 'fok')", name=op.f("ck_orders_time_in_force")
        ),
        sa.CheckConstraint("type IN ('limit', 'market')", name=op.f("ck_orders_type")),
        sa.CheckConstraint("filled_qty <= qty", name=op.f("ck_orders_not_overfilled")),
        sa.CheckConstraint(
            "filled_qty >= 0 AND filled_qty < 1e20", name=op.f("ck_orders_filled_qty_range")
        ),
        sa.CheckConstraint("qty > 0 AND qty < 1e20", name=op.f("ck_orders_qty_range")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_orders_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["symbol"], ["instruments.symbol"], name=op.f("fk_orders_symbol_instruments")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_orders")),
        sa.UniqueConstraint("account_id", "venue_client_id", name=op.f("uq_orders_account_id")),
    )
    op.create_index(
        "ix_orders_open",
        "orders",
        ["symbol", "side", "limit_price"],
        unique=False,
        postgresql_where=sa.text("status IN ('new', 'partially_filled')"),
    )
    op.create_index(
        "ix_orders_open_of_account",
        "orders",
        ["account_id"],
        unique=False,
        postgresql_where=sa.text("status IN ('new', 'partially_filled')"),
    )
    op.create_table(
        "transfers",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("transfer_id", sa.String(length=64), nullable=False),
        sa.Column("currency", sa.String(length=16), nullable=False),
        sa.Column("amount", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount > 0 AND amount < 1e20", name=op.f("ck_transfers_amount_range")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_transfers_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", "transfer_id", name=op.f("pk_transfers")),
    )
    op.create_table(
        "fills",
        sa.Column("symbol", sa.String(length=32), nullable=False),
        sa.Column("trade_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("order_number", sa.BigInteger(), nullable=False),
        sa.Column("tick", sa.BigInteger(), nullable=False),
        sa.Column("qty", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("price", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("fee", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("fee_currency", sa.String(length=16), nullable=False),
        sa.Column("liquidity", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("liquidity IN ('maker', 'taker')", name=op.f("ck_fills_liquidity")),
        sa.CheckConstraint("fee >= 0 AND fee < 1e20", name=op.f("ck_fills_fee_range")),
        sa.CheckConstraint("price > 0 AND price < 1e20", name=op.f("ck_fills_price_range")),
        sa.CheckConstraint("qty > 0 AND qty < 1e20", name=op.f("ck_fills_qty_range")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_fills_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["order_number"], ["orders.number"], name=op.f("fk_fills_order_number_orders")
        ),
        sa.ForeignKeyConstraint(
            ["symbol"], ["instruments.symbol"], name=op.f("fk_fills_symbol_instruments")
        ),
        sa.PrimaryKeyConstraint("symbol", "trade_id", name=op.f("pk_fills")),
        sa.UniqueConstraint("account_id", "number", name=op.f("uq_fills_account_id")),
    )


def downgrade() -> None:
    op.execute(INTO_THE_VENUES_SCHEMA)
    for table in (
        "faults",
        "requests",
        "transfers",
        "fills",
        "orders",
        "balances",
        "accounts",
        "instruments",
    ):
        op.drop_table(table)
    op.execute("DROP SEQUENCE order_numbers")
    op.execute(AND_BACK)
