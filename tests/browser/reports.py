"""The service, and a route that takes a connection and forgets to give it back."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from trading_service.main import app

forgotten: list[AsyncConnection] = []


@app.get("/v1/reports/{day}")
async def report(day: str, request: Request) -> str:
    connection = await request.app.resources.database.engine.connect()
    await connection.execute(text("SELECT pg_sleep(0.01)"))
    forgotten.append(connection)
    return day


@app.get("/v1/slow")
async def slow(request: Request) -> str:
    async with request.app.resources.database.engine.connect() as connection:
        await connection.execute(text("SELECT pg_sleep(0.3)"))
    return "done"
