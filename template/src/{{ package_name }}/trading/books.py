"""The books: proof that money, orders, fills, positions and events agree to the last digit.

Each rule is a query that finds the rows which break it. They see one state of the database, also
while the service trades, and PostgreSQL does the sums: memory does not grow with the tables.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from string import Template
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import NullPool

from ..core.config import Settings
from ..core.database.session import create_engine
from ..market.instruments import Instrument
from ..market.money import plain
from .fills import IN_ORDER, Fill, trade_of
from .orders.model import IS_OPEN
from .positions import Holding, Position, Trade, fold


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that breaks a rule: what it says, and what it should say."""

    rule: str
    account_id: UUID | None
    row: str
    found: str
    expected: str


async def verify_books(connection: AsyncConnection) -> AsyncIterator[Fault]:
    """Yield every fault of the books; none, if they are right. See `reading_books`."""
    for rule, query in RULES.items():
        async for row in await connection.stream(text(Template(query).substitute(_PARTS))):
            yield Fault(rule, *row)
    async for fault in _positions(connection):
        yield fault


async def count_flagged(connection: AsyncConnection) -> int:
    """Return how many fills are stored and not booked: the books agree without them."""
    return await connection.scalar(text("SELECT count(*) FROM fills WHERE flag IS NOT NULL")) or 0


@asynccontextmanager
async def reading_books(settings: Settings) -> AsyncIterator[AsyncConnection]:
    """Connect for `verify_books`: one state of the database, and as much time as it takes."""
    patient = {"statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
    engine = create_engine(settings, patient, poolclass=NullPool, isolation_level="REPEATABLE READ")
    try:
        async with engine.connect() as connection:
            yield await connection.execution_options(postgresql_readonly=True)
    finally:
        await engine.dispose()


# --- Rules in SQL --------------------------------------------------------------------------------
# Each selects: account, row, what is found, what is expected.


def _up(amount: str) -> str:
    """Round up to 18 decimals, exactly."""
    return f"ceil(({amount}) * 1000000000000000000) * 0.000000000000000001"


def _down(amount: str) -> str:
    return f"floor(({amount}) * 1000000000000000000) * 0.000000000000000001"


_PARTS = {
    "open": IS_OPEN,
    "needed": _up("(qty - filled_qty) * hold_price"),
    "notional": f"CASE side WHEN 'buy' THEN {_up('qty * price')} ELSE {_down('qty * price')} END",
}

RULES = {
    "a transaction sums to zero in each currency": """
        SELECT account_id, 'transaction ' || transaction_id || ' in ' || currency,
            sum(amount)::text, '0'
        FROM ledger_entries GROUP BY account_id, transaction_id, currency HAVING sum(amount) <> 0
    """,
    "a balance is the sum of its entries": """
        WITH sums AS (
            SELECT account_id, currency,
                coalesce(sum(amount) FILTER (WHERE bucket = 'available'), 0) AS available,
                coalesce(sum(amount) FILTER (WHERE bucket = 'held'), 0) AS held
            FROM ledger_entries WHERE bucket IN ('available', 'held') GROUP BY 1, 2
        )
        SELECT account_id, 'balance of ' || currency || ', ' || name, found::text, expected::text
        FROM balances FULL JOIN sums USING (account_id, currency),
        LATERAL (VALUES
            ('available', coalesce(balances.available, 0), coalesce(sums.available, 0)),
            ('held', coalesce(balances.held, 0), coalesce(sums.held, 0))
        ) AS parts (name, found, expected)
        WHERE found <> expected
    """,
    "a balance holds what open orders hold": """
        WITH holds AS (
            SELECT account_id, held_currency AS currency, sum(held) AS held
            FROM orders WHERE $open GROUP BY 1, 2
        )
        SELECT account_id, 'balance of ' || currency || ', held',
            coalesce(balances.held, 0)::text, coalesce(holds.held, 0)::text
        FROM balances FULL JOIN holds USING (account_id, currency)
        WHERE coalesce(balances.held, 0) <> coalesce(holds.held, 0)
    """,
    "an order holds what it may still need": """
        SELECT account_id, 'order ' || id || ', held', held::text,
            coalesce(expected::text, 'a hold_price')
        FROM orders, LATERAL (SELECT CASE
            WHEN NOT ($open) THEN 0
            WHEN side = 'sell' THEN qty - filled_qty
            ELSE $needed
        END) AS needs (expected)
        WHERE held IS DISTINCT FROM expected
    """,
    "an order holds the sum of its entries": """
        WITH sums AS (
            SELECT account_id, order_id, sum(amount) AS held
            FROM ledger_entries WHERE bucket = 'held' GROUP BY 1, 2 HAVING sum(amount) <> 0
        ), holding AS (
            SELECT account_id, id AS order_id, held FROM orders WHERE held <> 0
        )
        SELECT account_id, 'order ' || coalesce(order_id::text, 'without an id') || ', held',
            coalesce(holding.held, 0)::text, coalesce(sums.held, 0)::text
        FROM holding FULL JOIN sums USING (account_id, order_id)
        WHERE coalesce(holding.held, 0) <> coalesce(sums.held, 0)
    """,
    "an order is filled by its booked fills": """
        WITH sums AS (
            SELECT account_id, order_id, sum(qty) AS qty, sum($notional) AS notional
            FROM fills WHERE flag IS NULL GROUP BY 1, 2
        ), filled AS (
            SELECT account_id, id AS order_id, filled_qty, filled_notional
            FROM orders WHERE filled_qty <> 0 OR filled_notional <> 0
        )
        SELECT account_id, 'order ' || coalesce(order_id::text, 'without an id') || ', ' || name,
            found::text, expected::text
        FROM filled FULL JOIN sums USING (account_id, order_id),
        LATERAL (VALUES
            ('filled_qty', coalesce(filled_qty, 0), coalesce(sums.qty, 0)),
            ('filled_notional', coalesce(filled_notional, 0), coalesce(sums.notional, 0))
        ) AS parts (name, found, expected)
        WHERE found <> expected
    """,
    "a fill is in the ledger, unless it is flagged": """
        WITH booked AS (
            SELECT account_id, fill_id, currency,
                coalesce(sum(amount) FILTER (WHERE bucket = 'trade'), 0) AS trade,
                coalesce(sum(amount) FILTER (WHERE bucket = 'fee'), 0) AS fee
            FROM ledger_entries WHERE fill_id IS NOT NULL GROUP BY 1, 2, 3
        ), reported AS (
            SELECT account_id, id AS fill_id, currency, sum(trade) AS trade, sum(part.fee) AS fee
            FROM fills JOIN instruments USING (symbol),
            LATERAL (SELECT CASE side WHEN 'buy' THEN 1 ELSE -1 END, $notional)
                AS direction (sign, notional),
            LATERAL (VALUES
                (base_currency, -sign * qty, 0),
                (quote_currency, sign * notional, 0),
                (fee_currency, 0, fills.fee)
            ) AS part (currency, trade, fee)
            WHERE flag IS NULL GROUP BY 1, 2, 3
        )
        SELECT account_id, 'fill ' || fill_id || ' in ' || currency || ', ' || name,
            found::text, expected::text
        FROM booked FULL JOIN reported USING (account_id, fill_id, currency),
        LATERAL (VALUES
            ('trade', coalesce(booked.trade, 0), coalesce(reported.trade, 0)),
            ('fee', coalesce(booked.fee, 0), coalesce(reported.fee, 0))
        ) AS parts (name, found, expected)
        WHERE found <> expected
    """,
    "a deposit is in the ledger once it is booked": """
        WITH sums AS (
            SELECT account_id, deposit_id, currency, sum(amount) AS amount FROM ledger_entries
            WHERE kind = 'deposit' AND bucket = 'available' GROUP BY 1, 2, 3
        ), opened AS (
            SELECT DISTINCT account_id, currency FROM ledger_entries WHERE kind = 'opening'
        ), booked AS (
            SELECT account_id, id AS deposit_id, currency, amount FROM deposits
            WHERE status = 'booked'
        )
        SELECT account_id, 'deposit ' || coalesce(deposit_id::text, 'without an id')
            || ' in ' || currency, coalesce(sums.amount, 0)::text, coalesce(booked.amount, 0)::text
        FROM booked FULL JOIN sums USING (account_id, deposit_id, currency)
        LEFT JOIN opened USING (account_id, currency)
        WHERE coalesce(sums.amount, 0) <> coalesce(booked.amount, 0)
            -- Those before the ledger began are part of what the account was opened with.
            AND NOT (sums.amount IS NULL AND opened.account_id IS NOT NULL)
    """,
    "an account counts its open orders": """
        WITH counts AS (
            SELECT account_id, count(*) AS open_orders
            FROM orders WHERE $open GROUP BY 1
        )
        SELECT accounts.id, 'account ' || name || ', open_orders',
            coalesce(account_books.open_orders::text, 'no books'),
            coalesce(counts.open_orders, 0)::text
        FROM accounts LEFT JOIN account_books ON account_books.account_id = accounts.id
        LEFT JOIN counts ON counts.account_id = accounts.id
        WHERE account_books.open_orders IS DISTINCT FROM coalesce(counts.open_orders, 0)
    """,
    "a position knows what open orders may trade": """
        WITH sums AS (
            SELECT account_id, symbol,
                coalesce(sum(qty - filled_qty) FILTER (WHERE side = 'buy'), 0) AS buying,
                coalesce(sum(qty - filled_qty) FILTER (WHERE side = 'sell'), 0) AS selling
            FROM orders WHERE $open GROUP BY 1, 2
        )
        SELECT account_id, 'position ' || symbol || ', ' || name, found::text, expected::text
        FROM positions FULL JOIN sums USING (account_id, symbol),
        LATERAL (VALUES
            ('buying', coalesce(positions.buying, 0), coalesce(sums.buying, 0)),
            ('selling', coalesce(positions.selling, 0), coalesce(sums.selling, 0))
        ) AS parts (name, found, expected)
        WHERE found <> expected
    """,
    "a position without fills is empty": """
        SELECT account_id, 'position ' || symbol || ', ' || name, found::text, '0'
        FROM positions, LATERAL (VALUES
            ('qty', qty), ('cost', cost), ('realized_pnl', realized_pnl), ('fees', fees)
        ) AS parts (name, found)
        WHERE found <> 0 AND NOT EXISTS (
            SELECT FROM fills WHERE fills.account_id = positions.account_id
                AND fills.symbol = positions.symbol AND flag IS NULL
        )
    """,
    "events have numbers without gaps": """
        SELECT account_id, 'event ' || seq, 'follows ' || before, 'follows ' || seq - 1
        FROM (
            SELECT account_id, seq, lag(seq, 1, 0::bigint)
                OVER (PARTITION BY account_id ORDER BY seq) AS before
            FROM account_events
        ) AS numbered
        WHERE before <> seq - 1
    """,
    "an account knows its last event": """
        WITH newest AS (SELECT account_id, max(seq) AS seq FROM account_events GROUP BY 1)
        SELECT account_id, 'account_books, last_seq', coalesce(last_seq::text, 'no books'),
            coalesce(seq, 0)::text
        FROM account_books FULL JOIN newest USING (account_id)
        WHERE last_seq IS DISTINCT FROM coalesce(seq, 0)
    """,
}


# --- Positions -----------------------------------------------------------------------------------

_FOLDED = "a position is the fold of its fills"
_FIELDS = ("qty", "cost", "realized_pnl", "fees")


async def _positions(connection: AsyncConnection) -> AsyncIterator[Fault]:
    """Fold the fills of each position as they come, and compare."""
    query = (
        select(
            *(Fill.account_id, Fill.symbol, Fill.side, Fill.qty, Fill.price),
            *(Fill.fee, Fill.fee_currency),
            *(Instrument.base_currency, Instrument.quote_currency),
            *(getattr(Position, name).label(f"position_{name}") for name in _FIELDS),
        )
        .join(Instrument, Instrument.symbol == Fill.symbol)
        .outerjoin(
            Position,
            (Position.account_id == Fill.account_id) & (Position.symbol == Fill.symbol),
        )
        .where(Fill.flag.is_(None))
        .order_by(Fill.account_id, Fill.symbol, *IN_ORDER)
    )
    last: Row[Any] | None = None
    holding = Holding()
    async for row in await connection.stream(query):
        if last is not None and (row.account_id, row.symbol) != (last.account_id, last.symbol):
            for fault in _differences(last, holding):
                yield fault
            holding = Holding()
        holding, last = fold(holding, _trade(row)), row
    if last is not None:
        for fault in _differences(last, holding):
            yield fault


def _trade(row: Row[Any]) -> Trade:
    fill = Fill(
        side=row.side, qty=row.qty, price=row.price, fee=row.fee, fee_currency=row.fee_currency
    )
    return trade_of(fill, row.base_currency, row.quote_currency)


def _differences(row: Row[Any], holding: Holding) -> list[Fault]:
    values = ((name, getattr(row, f"position_{name}"), getattr(holding, name)) for name in _FIELDS)
    return [
        Fault(
            _FOLDED,
            row.account_id,
            f"position {row.symbol}, {name}",
            "none" if found is None else plain(found),
            plain(expected),
        )
        for name, found, expected in values
        if found != expected
    ]
