import asyncio

import httpx

from trading_service.settings import Settings
from trading_service.trading.accounts import Account

from ..core.support.processes import run


async def test_a_note_that_the_command_writes_is_listed(
    settings: Settings, demo: Account, trader: httpx.AsyncClient
) -> None:
    url = settings.sqlalchemy_url.render_as_string(hide_password=False)
    environment = {"DATABASE_URL": url, "DESK_NAME": "nine", "DESK_LIMIT": "1"}
    written = await asyncio.to_thread(run, "note", "sell in May", **environment)
    refused = await asyncio.to_thread(run, "note", "and go away", **environment)
    assert written.exit_code == 0
    assert "The desk nine has 1 notes at most" in refused.stderr

    assert (await trader.get("/v1/notes")).json()["items"] == ["sell in May"]


async def test_a_note_that_is_sent_is_listed(trader: httpx.AsyncClient) -> None:
    answer = await trader.post("/v1/notes", json={"text": "and go away"})
    assert answer.status_code == 204

    assert (await trader.get("/v1/notes")).json()["items"] == ["and go away"]


async def test_prices_come_from_the_feed(trader: httpx.AsyncClient) -> None:
    assert (await trader.get("/v1/notes/prices")).json() == {}
