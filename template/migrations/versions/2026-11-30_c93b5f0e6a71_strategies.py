"""strategies"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "c93b5f0e6a71"
down_revision: str | Sequence[str] | None = "a1c4e7d20b35"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

JSON = postgresql.JSONB(astext_type=sa.Text())
AMOUNT = sa.Numeric(precision=38, scale=18)
TIME = sa.DateTime(timezone=True)
NOW = sa.text("now()")
ACTIVE = "status IN ('starting', 'running', 'paused', 'stopping')"


def upgrade() -> None:
    op.create_table(
        "strategies",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("symbol", sa.String(length=32), nullable=False),
        sa.Column("timeframe", sa.String(length=8), nullable=False),
        sa.Column("params", JSON, nullable=False),
        sa.Column("params_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("desired", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("status_reason", sa.String(length=500), server_default="", nullable=False),
        sa.Column("status_since", TIME, server_default=NOW, nullable=False),
        sa.Column("stop_mode", sa.String(length=8), nullable=True),
        sa.Column("stop_deadline", TIME, nullable=True),
        sa.Column("run", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_owner", sa.String(length=64), nullable=True),
        sa.Column("lease_until", TIME, nullable=True),
        sa.Column("lease_token", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("state", JSON, nullable=True),
        sa.Column("state_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cursor_candle", TIME, nullable=True),
        sa.Column("cursor_event", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("watch_price", AMOUNT, nullable=True),
        sa.Column("watch_since", TIME, nullable=True),
        sa.Column("wake_at", TIME, nullable=True),
        sa.Column("capital", AMOUNT, server_default="0", nullable=False),
        sa.Column("cash", AMOUNT, server_default="0", nullable=False),
        sa.Column("base", AMOUNT, server_default="0", nullable=False),
        sa.Column("notes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("errors", sa.Integer(), server_default="0", nullable=False),
        sa.Column("errors_since", TIME, nullable=True),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("started_at", TIME, nullable=True),
        sa.CheckConstraint("base > -1e20 AND base < 1e20", name=op.f("ck_strategies_base_range")),
        sa.CheckConstraint(
            "capital > -1e20 AND capital < 1e20", name=op.f("ck_strategies_capital_range")
        ),
        sa.CheckConstraint("cash > -1e20 AND cash < 1e20", name=op.f("ck_strategies_cash_range")),
        sa.CheckConstraint(
            "desired IN ('running', 'paused', 'stopped')", name=op.f("ck_strategies_desired")
        ),
        sa.CheckConstraint(
            "status IN ('created', 'starting', 'running', 'paused', 'stopping', 'stopped',"
            " 'stop_incomplete', 'failed')",
            name=op.f("ck_strategies_status"),
        ),
        sa.CheckConstraint(
            "stop_mode IN ('keep', 'cancel', 'close')", name=op.f("ck_strategies_stop_mode")
        ),
        sa.CheckConstraint(
            "timeframe IN ('1m', '3m', '5m', '15m', '30m', '1h', '4h', '1d')",
            name=op.f("ck_strategies_timeframe"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_strategies_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(
            ["symbol"], ["instruments.symbol"], name=op.f("fk_strategies_symbol_instruments")
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_strategies")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_strategies_account_id")),
    )
    op.create_index(
        "ix_strategies_active",
        "strategies",
        ["account_id", "symbol"],
        unique=True,
        postgresql_where=sa.text(ACTIVE),
    )
    create_table_of_instance(
        "strategy_params",
        ("version",),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("params", JSON, nullable=False),
        sa.Column("changed_by", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
    )
    create_table_of_instance(
        "strategy_orders",
        ("client_order_id",),
        sa.Column("client_order_id", sa.String(length=64), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("asked", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("filled_qty", AMOUNT, server_default="0", nullable=False),
    )
    create_table_of_instance(
        "strategy_notes",
        ("n",),
        sa.Column("n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", TIME, server_default=NOW, nullable=False),
        sa.Column("candle", TIME, nullable=True),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
    )
    create_table_of_instance(
        "equity_snapshots",
        ("at",),
        sa.Column("at", TIME, nullable=False),
        sa.Column("cash", AMOUNT, nullable=False),
        sa.Column("base", AMOUNT, nullable=False),
        sa.Column("mark", AMOUNT, nullable=False),
        sa.Column("equity", AMOUNT, nullable=False),
    )
    op.add_column("orders", sa.Column("strategy_id", sa.Uuid(), nullable=True))
    op.add_column("orders", sa.Column("role", sa.String(length=32), nullable=True))
    op.create_index(
        "ix_orders_of_strategy",
        "orders",
        ["account_id", "strategy_id", "created_at", "id"],
        unique=False,
        postgresql_where=sa.text("strategy_id IS NOT NULL"),
    )


def create_table_of_instance(name: str, key: tuple[str, ...], *columns: sa.Column[Any]) -> None:
    """Create a table whose rows belong to a strategy each."""
    op.create_table(
        name,
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("strategy_id", sa.Uuid(), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(
            ["account_id", "strategy_id"],
            ["strategies.account_id", "strategies.id"],
            name=op.f(f"fk_{name}_account_id_strategies"),
        ),
        sa.PrimaryKeyConstraint("account_id", "strategy_id", *key, name=op.f(f"pk_{name}")),
    )


def downgrade() -> None:
    op.drop_index("ix_orders_of_strategy", table_name="orders")
    op.drop_column("orders", "role")
    op.drop_column("orders", "strategy_id")
    for name in (
        "equity_snapshots",
        "strategy_notes",
        "strategy_orders",
        "strategy_params",
        "strategies",
    ):
        op.drop_table(name)
