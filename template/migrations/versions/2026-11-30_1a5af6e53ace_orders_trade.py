"""orders trade: fills, ledger, positions, outbox, events, risk, reconciliation, audit

What is there already gets its books: each balance an opening transaction, each open order its
hold in the ledger. The exchange learns of both: the outbox gets the money first, then the orders.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "1a5af6e53ace"
down_revision: str | Sequence[str] | None = "7c2e9f4a6b18"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None
contract = "stop the release before first: what it places is in no ledger, and it sends nothing"


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("before", postgresql.JSONB(), nullable=True),
        sa.Column("after", postgresql.JSONB(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_audit_log")),
    )
    op.create_index(
        "ix_audit_log_newest_first", "audit_log", ["account_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "trading_states",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column(
            "state",
            sa.String(length=8),
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("changed_by", sa.String(length=64), nullable=False),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "state IN ('active', 'reducing', 'halted')", name=op.f("ck_trading_states_state")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_trading_states")),
    )
    op.create_table(
        "account_books",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("open_orders", sa.Integer(), server_default="0", nullable=False),
        sa.Column("second", sa.DateTime(timezone=True), nullable=True),
        sa.Column("second_orders", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_account_books_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_account_books")),
    )
    op.create_table(
        "account_events",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "type",
            sa.String(length=16),
            nullable=False,
        ),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "type IN ('order', 'fill', 'position', 'trading_state')",
            name=op.f("ck_account_events_type"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_account_events_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", "seq", name=op.f("pk_account_events")),
    )
    op.create_index(
        "ix_account_events_of_order",
        "account_events",
        ["account_id", "order_id", "seq"],
        unique=False,
    )
    op.create_table(
        "day_starts",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("currency", sa.String(length=16), nullable=False),
        sa.Column("pnl", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("breaches", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "looked_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("pnl > -1e20 AND pnl < 1e20", name=op.f("ck_day_starts_pnl_range")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_day_starts_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", "day", "currency", name=op.f("pk_day_starts")),
    )
    op.create_table(
        "external_orders",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("venue", sa.String(length=16), nullable=False),
        sa.Column("venue_order_id", sa.String(length=64), nullable=False),
        sa.Column("venue_client_id", sa.String(length=64), nullable=False),
        sa.Column("symbol", sa.String(length=32), nullable=False),
        sa.Column("side", sa.String(length=4), nullable=False),
        sa.Column("qty", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("filled_qty", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column(
            "found_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.CheckConstraint("side IN ('buy', 'sell')", name=op.f("ck_external_orders_side")),
        sa.CheckConstraint(
            "filled_qty >= 0 AND filled_qty < 1e20",
            name=op.f("ck_external_orders_filled_qty_range"),
        ),
        sa.CheckConstraint("qty > 0 AND qty < 1e20", name=op.f("ck_external_orders_qty_range")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_external_orders_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint(
            "account_id", "venue", "venue_order_id", name=op.f("pk_external_orders")
        ),
    )
    op.create_table(
        "fills",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("venue", sa.String(length=16), nullable=False),
        sa.Column("symbol", sa.String(length=32), nullable=False),
        sa.Column("trade_id", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("venue_client_id", sa.String(length=64), nullable=False),
        sa.Column("venue_order_id", sa.String(length=64), nullable=False),
        sa.Column("side", sa.String(length=4), nullable=False),
        sa.Column("qty", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("price", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("fee", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("fee_currency", sa.String(length=16), nullable=False),
        sa.Column(
            "liquidity",
            sa.String(length=8),
            nullable=False,
        ),
        sa.Column(
            "flag",
            sa.String(length=16),
            nullable=True,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "flag IN ('overfill', 'unknown_order', 'unfunded')", name=op.f("ck_fills_flag")
        ),
        sa.CheckConstraint("liquidity IN ('maker', 'taker')", name=op.f("ck_fills_liquidity")),
        sa.CheckConstraint("side IN ('buy', 'sell')", name=op.f("ck_fills_side")),
        sa.CheckConstraint("fee > -1e20 AND fee < 1e20", name=op.f("ck_fills_fee_range")),
        sa.CheckConstraint("price > 0 AND price < 1e20", name=op.f("ck_fills_price_range")),
        sa.CheckConstraint("qty > 0 AND qty < 1e20", name=op.f("ck_fills_qty_range")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_fills_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_fills")),
        sa.UniqueConstraint(
            "account_id", "venue", "symbol", "trade_id", name=op.f("uq_fills_account_id")
        ),
    )
    op.create_index(
        "ix_fills_newest_first", "fills", ["account_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_fills_of_order", "fills", ["account_id", "order_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_fills_of_symbol", "fills", ["account_id", "symbol", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_fills_unfunded",
        "fills",
        ["account_id"],
        unique=False,
        postgresql_where="flag = 'unfunded'",
    )
    op.create_table(
        "ledger_entries",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "kind",
            sa.String(length=16),
            nullable=False,
        ),
        sa.Column(
            "bucket",
            sa.String(length=16),
            nullable=False,
        ),
        sa.Column("currency", sa.String(length=16), nullable=False),
        sa.Column("amount", sa.Numeric(precision=38, scale=18), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("fill_id", sa.Uuid(), nullable=True),
        sa.Column("deposit_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "bucket IN ('available', 'held', 'trade', 'fee', 'external')",
            name=op.f("ck_ledger_entries_bucket"),
        ),
        sa.CheckConstraint(
            "kind IN ('opening', 'deposit', 'pending', 'post', 'void')",
            name=op.f("ck_ledger_entries_kind"),
        ),
        sa.CheckConstraint(
            "amount > -1e20 AND amount < 1e20 AND amount <> 0",
            name=op.f("ck_ledger_entries_amount_range"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_ledger_entries_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint(
            "account_id", "transaction_id", "n", name=op.f("pk_ledger_entries")
        ),
    )
    op.create_index(
        "ix_ledger_entries_of_order", "ledger_entries", ["account_id", "order_id"], unique=False
    )
    op.create_table(
        "outbox",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.String(length=8),
            nullable=False,
        ),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("deposit_id", sa.Uuid(), nullable=True),
        sa.Column("transfer_id", sa.String(length=64), nullable=True),
        sa.Column("currency", sa.String(length=16), nullable=True),
        sa.Column("amount", sa.Numeric(precision=38, scale=18), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "due_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("earlier_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(length=500), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("kind IN ('place', 'cancel', 'deposit')", name=op.f("ck_outbox_kind")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_outbox_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_outbox")),
    )
    op.create_index("ix_outbox_due", "outbox", ["due_at"], unique=False)
    op.create_index("ix_outbox_of_order", "outbox", ["account_id", "order_id"], unique=False)
    op.create_table(
        "positions",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("symbol", sa.String(length=32), nullable=False),
        sa.Column("qty", sa.Numeric(precision=38, scale=18), server_default="0", nullable=False),
        sa.Column("cost", sa.Numeric(precision=38, scale=18), server_default="0", nullable=False),
        sa.Column(
            "realized_pnl", sa.Numeric(precision=38, scale=18), server_default="0", nullable=False
        ),
        sa.Column("fees", sa.Numeric(precision=38, scale=18), server_default="0", nullable=False),
        sa.Column("buying", sa.Numeric(precision=38, scale=18), server_default="0", nullable=False),
        sa.Column(
            "selling", sa.Numeric(precision=38, scale=18), server_default="0", nullable=False
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("buying >= 0 AND buying < 1e20", name=op.f("ck_positions_buying_range")),
        sa.CheckConstraint("cost > -1e20 AND cost < 1e20", name=op.f("ck_positions_cost_range")),
        sa.CheckConstraint("fees > -1e20 AND fees < 1e20", name=op.f("ck_positions_fees_range")),
        sa.CheckConstraint("qty > -1e20 AND qty < 1e20", name=op.f("ck_positions_qty_range")),
        sa.CheckConstraint(
            "realized_pnl > -1e20 AND realized_pnl < 1e20",
            name=op.f("ck_positions_realized_pnl_range"),
        ),
        sa.CheckConstraint(
            "selling >= 0 AND selling < 1e20", name=op.f("ck_positions_selling_range")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_positions_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", "symbol", name=op.f("pk_positions")),
    )
    op.create_table(
        "reconciliations",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "trigger",
            sa.String(length=16),
            nullable=False,
        ),
        sa.Column(
            "status",
            sa.String(length=16),
            nullable=False,
        ),
        sa.Column("findings", postgresql.JSONB(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "ended_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.CheckConstraint(
            "status IN ('clean', 'drift', 'failed')", name=op.f("ck_reconciliations_status")
        ),
        sa.CheckConstraint(
            "trigger IN ('start', 'periodic', 'request')", name=op.f("ck_reconciliations_trigger")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_reconciliations_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_reconciliations")),
    )
    op.create_index(
        "ix_reconciliations_newest_first",
        "reconciliations",
        ["account_id", "started_at", "id"],
        unique=False,
    )
    op.create_table(
        "risk_limits",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("max_order_qty", sa.Numeric(precision=38, scale=18), nullable=True),
        sa.Column("max_order_notional", sa.Numeric(precision=38, scale=18), nullable=True),
        sa.Column("max_open_orders", sa.Integer(), nullable=True),
        sa.Column("max_position", sa.Numeric(precision=38, scale=18), nullable=True),
        sa.Column("max_orders_per_second", sa.Integer(), nullable=True),
        sa.Column("max_daily_loss", sa.Numeric(precision=38, scale=18), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_risk_limits_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_risk_limits")),
    )
    op.create_table(
        "venue_cursors",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("venue", sa.String(length=16), nullable=False),
        sa.Column("cursor", sa.String(length=64), nullable=True),
        sa.Column(
            "looked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_venue_cursors_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", "venue", name=op.f("pk_venue_cursors")),
    )
    op.add_column(
        "deposits",
        sa.Column(
            "status",
            sa.String(length=8),
            nullable=False,
            server_default="booked",  # those that are there
        ),
    )
    op.alter_column("deposits", "status", server_default=None)
    _check("deposits", "status", "status IN ('pending', 'booked')")
    op.add_column(
        "orders", sa.Column("post_only", sa.Boolean(), server_default="false", nullable=False)
    )
    op.add_column(
        "orders", sa.Column("hold_price", sa.Numeric(precision=38, scale=18), nullable=True)
    )
    op.add_column("orders", sa.Column("reason_code", sa.String(length=64), nullable=True))
    op.add_column(
        "orders",
        sa.Column(
            "filled_notional",
            sa.Numeric(precision=38, scale=18),
            server_default="0",
            nullable=False,
        ),
    )
    op.add_column("orders", sa.Column("venue_order_id", sa.String(length=64), nullable=True))
    op.alter_column(
        "orders", "limit_price", existing_type=sa.NUMERIC(precision=38, scale=18), nullable=True
    )
    op.create_index(
        "ix_orders_of_status", "orders", ["account_id", "status", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_orders_of_symbol", "orders", ["account_id", "symbol", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_orders_open",
        "orders",
        ["account_id", "created_at", "id"],
        unique=False,
        postgresql_where="status IN ('new', 'partially_filled', 'pending_cancel', 'pending_new')",
    )
    for name in ("type", "time_in_force", "status"):
        op.drop_constraint(op.f(f"ck_orders_{name}"), "orders", type_="check")
    _check("orders", "type", "type IN ('limit', 'market')")
    _check("orders", "time_in_force", "time_in_force IN ('gtc', 'ioc', 'fok')")
    _check(
        "orders",
        "status",
        "status IN ('pending_new', 'new', 'partially_filled', 'filled', 'pending_cancel',"
        " 'canceled', 'rejected', 'denied', 'expired')",
    )
    _check("orders", "limit_has_price", "(type = 'limit') = (limit_price IS NOT NULL)")
    _check("orders", "hold_price_range", "hold_price > 0 AND hold_price < 1e20")
    _check("orders", "filled_notional_range", "filled_notional >= 0 AND filled_notional < 1e20")
    for statement in _BOOKS_OF_WHAT_IS_THERE:
        op.execute(statement.replace("$id", _ID))


def _check(table: str, name: str, condition: str) -> None:
    op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


# A UUID of version 7: the ledger is read by it, newest first.
_ID = """overlay(gen_random_uuid()::text PLACING
    regexp_replace(
        lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0'),
        '(.{8})(.{4})', '\\1-\\2-7'
    ) FROM 1 FOR 15)::uuid"""

_BOOKS_OF_WHAT_IS_THERE = [
    "INSERT INTO account_books (account_id, open_orders)"
    " SELECT id, (SELECT count(*) FROM orders WHERE account_id = accounts.id AND status = 'new')"
    " FROM accounts",
    # A hold was rounded to the nearest 18th decimal; now it is rounded up.
    """
    WITH needed AS (
        SELECT account_id, id, held,
            ceil((qty - filled_qty) * limit_price * 1000000000000000000) * 0.000000000000000001
                AS amount
        FROM orders WHERE status = 'new' AND side = 'buy'
    ), raised AS (
        UPDATE orders SET held = needed.amount FROM needed
        WHERE orders.account_id = needed.account_id AND orders.id = needed.id
            AND orders.held < needed.amount
        RETURNING orders.account_id, held_currency, needed.amount - needed.held AS more
    )
    UPDATE balances SET held = held + more
    FROM (SELECT account_id, held_currency, sum(more) AS more FROM raised GROUP BY 1, 2) AS sums
    WHERE balances.account_id = sums.account_id AND currency = held_currency
    """,
    # The whole balance has come from outside; then each open order has taken its hold out of it.
    """
    INSERT INTO ledger_entries
        (account_id, transaction_id, n, kind, bucket, currency, amount)
    SELECT account_id, transaction_id, n, 'opening', bucket, currency, amount
    FROM (
        SELECT account_id, currency, available + held AS total, $id AS transaction_id
        FROM balances WHERE available + held > 0
    ) AS opened,
    LATERAL (VALUES (0, 'available', total), (1, 'external', -total)) AS e (n, bucket, amount)
    """,
    """
    INSERT INTO ledger_entries
        (account_id, transaction_id, n, kind, bucket, currency, amount, order_id)
    SELECT account_id, transaction_id, n, 'pending', bucket, held_currency, amount, id
    FROM (
        SELECT account_id, id, held_currency, held, $id AS transaction_id
        FROM orders WHERE status = 'new' AND held > 0
    ) AS placed,
    LATERAL (VALUES (0, 'available', -held), (1, 'held', held)) AS e (n, bucket, amount)
    """,
    """
    INSERT INTO positions (account_id, symbol, buying, selling)
    SELECT account_id, symbol,
        coalesce(sum(qty - filled_qty) FILTER (WHERE side = 'buy'), 0),
        coalesce(sum(qty - filled_qty) FILTER (WHERE side = 'sell'), 0)
    FROM orders WHERE status = 'new' GROUP BY account_id, symbol
    """,
    """
    INSERT INTO outbox (account_id, id, kind, transfer_id, currency, amount)
    SELECT account_id, $id, 'deposit', 'opening-' || currency, currency,
        available + held
    FROM balances WHERE available + held > 0
    """,
    """
    INSERT INTO outbox (account_id, id, kind, order_id)
    SELECT account_id, $id, 'place', id FROM orders WHERE status = 'new'
    """,
    "UPDATE orders SET status = 'pending_new', hold_price = CASE side WHEN 'buy' THEN limit_price"
    " END WHERE status = 'new'",
]


def downgrade() -> None:
    """Go back to orders that only rest: those of the new kinds are lost with their history.

    What was filled is left in the balances only, and what was still to be deposited is forgotten.
    """
    op.execute(
        """
        WITH lost AS (
            DELETE FROM orders WHERE type <> 'limit' OR time_in_force <> 'gtc'
            RETURNING account_id, held_currency, held
        )
        UPDATE balances
        SET available = available + sums.held, held = balances.held - sums.held
        FROM (SELECT account_id, held_currency, sum(held) AS held FROM lost GROUP BY 1, 2) AS sums
        WHERE balances.account_id = sums.account_id AND currency = held_currency
        """
    )
    op.execute(
        """
        UPDATE orders SET status = 'new', qty = qty - filled_qty, filled_qty = 0
        WHERE status IN ('pending_new', 'new', 'partially_filled', 'pending_cancel')
        """
    )
    op.execute("UPDATE orders SET status = 'canceled', filled_qty = 0 WHERE status <> 'new'")
    op.execute("DELETE FROM deposits WHERE status = 'pending'")
    for name in ("limit_has_price", "hold_price_range", "filled_notional_range"):
        op.drop_constraint(op.f(f"ck_orders_{name}"), "orders", type_="check")
    for name in ("type", "time_in_force", "status"):
        op.drop_constraint(op.f(f"ck_orders_{name}"), "orders", type_="check")
    _check("orders", "type", "type IN ('limit')")
    _check("orders", "time_in_force", "time_in_force IN ('gtc')")
    _check("orders", "status", "status IN ('new', 'canceled')")
    op.drop_index(
        "ix_orders_open",
        table_name="orders",
        postgresql_where="status IN ('new', 'partially_filled', 'pending_cancel', 'pending_new')",
    )
    op.drop_index("ix_orders_of_symbol", table_name="orders")
    op.drop_index("ix_orders_of_status", table_name="orders")
    op.alter_column(
        "orders", "limit_price", existing_type=sa.NUMERIC(precision=38, scale=18), nullable=False
    )
    op.drop_column("orders", "venue_order_id")
    op.drop_column("orders", "filled_notional")
    op.drop_column("orders", "reason_code")
    op.drop_column("orders", "hold_price")
    op.drop_column("orders", "post_only")
    op.drop_column("deposits", "status")
    op.drop_table("venue_cursors")
    op.drop_table("risk_limits")
    op.drop_index("ix_reconciliations_newest_first", table_name="reconciliations")
    op.drop_table("reconciliations")
    op.drop_table("positions")
    op.drop_index("ix_outbox_of_order", table_name="outbox")
    op.drop_index("ix_outbox_due", table_name="outbox")
    op.drop_table("outbox")
    op.drop_index("ix_ledger_entries_of_order", table_name="ledger_entries")
    op.drop_table("ledger_entries")
    op.drop_index("ix_fills_of_symbol", table_name="fills")
    op.drop_index("ix_fills_of_order", table_name="fills")
    op.drop_index("ix_fills_newest_first", table_name="fills")
    op.drop_table("fills")
    op.drop_table("external_orders")
    op.drop_table("day_starts")
    op.drop_index("ix_account_events_of_order", table_name="account_events")
    op.drop_table("account_events")
    op.drop_table("account_books")
    op.drop_table("trading_states")
    op.drop_index("ix_audit_log_newest_first", table_name="audit_log")
    op.drop_table("audit_log")
