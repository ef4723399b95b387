"""A bare FastAPI handler around hand-written asyncpg: what an order over HTTP costs at least."""

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel
from trading_service.core.database.tables import new_id

CONNECTIONS = 8

KEY = """
    SELECT k.id, k.scopes, a.id AS account_id FROM api_keys k JOIN accounts a ON a.id = k.account_id
    WHERE k.key_hash = $1 AND k.revoked_at IS NULL
"""
INSTRUMENT = "SELECT * FROM instruments WHERE symbol = $1"
INSERT = """
    INSERT INTO orders (id, account_id, client_order_id, symbol, side, type, time_in_force, qty,
        limit_price, hold_price, held_currency, held, status, filled_qty)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11, 'pending_new', 0) RETURNING *
"""
LEDGER = """
    INSERT INTO ledger_entries
        (account_id, transaction_id, n, kind, bucket, currency, amount, order_id)
    VALUES ($1, $2, 0, 'pending', 'available', $3, $4, $6),
        ($1, $2, 1, 'pending', 'held', $3, $5, $6)
"""
OUTBOX = """
    INSERT INTO outbox (account_id, id, kind, order_id, due_at)
    VALUES ($1, $2, 'place', $3, 'infinity')
"""
HOLD = """
    UPDATE balances SET available = available - $3, held = held + $3
    WHERE account_id = $1 AND currency = $2 AND available >= $3 RETURNING held
"""


class NewOrder(BaseModel):
    client_order_id: str
    symbol: str
    side: str
    type: str = "limit"
    time_in_force: str = "gtc"
    qty: Decimal
    limit_price: Decimal


class Order(NewOrder):
    id: UUID
    account_id: UUID
    status: str
    filled_qty: Decimal
    created_at: Any


def bare() -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        folder, name = os.environ["DB_HOST"], os.environ["DB_NAME"]
        async with asyncpg.create_pool(
            host=folder, user="postgres", database=name, min_size=CONNECTIONS, max_size=CONNECTIONS
        ) as app.state.pool:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/orders", status_code=201)
    async def place_order(order: NewOrder, authorization: Annotated[str, Header()]) -> Order:
        async with app.state.pool.acquire() as connection:
            hashed = hashlib.sha256(authorization.removeprefix("Bearer ").encode()).digest()
            key = await connection.fetchrow(KEY, hashed)
            if key is None or "trade" not in key["scopes"]:
                raise HTTPException(401)
            account = key["account_id"]
            async with connection.transaction():
                instrument = await connection.fetchrow(INSTRUMENT, order.symbol)
                if order.side == "buy":
                    currency = instrument["quote_currency"]
                    amount = order.qty * order.limit_price
                else:
                    currency, amount = instrument["base_currency"], order.qty
                values = order.model_dump().values()
                if await connection.fetchval(HOLD, account, currency, amount) is None:
                    raise HTTPException(422)
                order_id = new_id()
                row = await connection.fetchrow(
                    INSERT, order_id, account, *values, currency, amount
                )
                await connection.execute(
                    LEDGER, account, new_id(), currency, -amount, amount, order_id
                )
                await connection.execute(OUTBOX, account, new_id(), order_id)
        return Order(**dict(row))

    return app
