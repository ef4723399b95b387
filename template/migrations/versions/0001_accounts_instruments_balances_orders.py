"""accounts, instruments, balances and orders"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("mode IN ('paper')", name=op.f("ck_accounts_mode")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name")),
    )
    op.create_table(
        "instruments",
        sa.Column("symbol", sa.String(length=32), nullable=False),
        sa.Column("base_currency", sa.String(length=16), nullable=False),
        sa.Column("quote_currency", sa.String(length=16), nullable=False),
        sa.Column("price_increment", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("size_increment", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("min_notional", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.CheckConstraint(
            "min_notional >= 0 AND min_notional < 1e20",
            name=op.f("ck_instruments_min_notional_range"),
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
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.String(length=8)), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_api_keys_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )
    op.create_table(
        "balances",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.String(length=16), nullable=False),
        sa.Column("available", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("held", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.CheckConstraint(
            "available >= 0 AND available < 1e20", name=op.f("ck_balances_available_range")
        ),
        sa.CheckConstraint("held >= 0 AND held < 1e20", name=op.f("ck_balances_held_range")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_balances_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", "currency", name=op.f("pk_balances")),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("client_order_id", sa.String(length=64), nullable=False),
        sa.Column("symbol", sa.String(length=32), nullable=False),
        sa.Column("side", sa.String(length=4), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("time_in_force", sa.String(length=8), nullable=False),
        sa.Column("qty", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("limit_price", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("filled_qty", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("held_currency", sa.String(length=16), nullable=False),
        sa.Column("held", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("canceled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("side IN ('buy', 'sell')", name=op.f("ck_orders_side")),
        sa.CheckConstraint("status IN ('new', 'canceled')", name=op.f("ck_orders_status")),
        sa.CheckConstraint("time_in_force IN ('gtc')", name=op.f("ck_orders_time_in_force")),
        sa.CheckConstraint("type IN ('limit')", name=op.f("ck_orders_type")),
        sa.CheckConstraint("filled_qty <= qty", name=op.f("ck_orders_no_overfill")),
        sa.CheckConstraint(
            "filled_qty >= 0 AND filled_qty < 1e20", name=op.f("ck_orders_filled_qty_range")
        ),
        sa.CheckConstraint("held >= 0 AND held < 1e20", name=op.f("ck_orders_held_range")),
        sa.CheckConstraint(
            "limit_price > 0 AND limit_price < 1e20", name=op.f("ck_orders_limit_price_range")
        ),
        sa.CheckConstraint("qty > 0 AND qty < 1e20", name=op.f("ck_orders_qty_range")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_orders_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["symbol"], ["instruments.symbol"], name=op.f("fk_orders_symbol_instruments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("account_id", "client_order_id", name=op.f("uq_orders_account_id")),
    )
    op.create_index(
        "ix_orders_newest_first", "orders", ["account_id", "created_at", "id"], unique=False
    )


def downgrade() -> None:
    op.drop_index("ix_orders_newest_first", table_name="orders")
    op.drop_table("orders")
    op.drop_table("balances")
    op.drop_table("api_keys")
    op.drop_table("instruments")
    op.drop_table("accounts")
