"""Changing the trading state so that it holds when that has returned."""

import asyncio
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from ...core.database.transactions import transactional
from ..account_books import EVERYONE
from ..outbox import SEND_SECONDS, is_sending
from .state import StateOfTrading, TradingState, accounts_with_books, set_state, tell_streams


async def change_state(
    sessions: async_sessionmaker[AsyncSession],
    owner: UUID,
    state: TradingState,
    reason: str,
    actor: str,
) -> StateOfTrading:
    """Set the state of the account, or of EVERYONE, tell the streams, and return it.

    Where it is stricter than `active`: once nothing is on its way to the exchange that was taken
    before it was set. `actor` is the id of an API key, or `cli`.
    """
    async with sessions() as session, transactional(session) as tx:
        new = await set_state(tx, owner, state, reason, actor)
    if owner == EVERYONE:
        async with sessions() as session:
            accounts = await accounts_with_books(session)
        for account_id in accounts:
            async with sessions() as session, transactional(session) as tx:
                await tell_streams(tx, account_id)
    if state is not TradingState.ACTIVE:
        await _until_nothing_is_sent(sessions, owner)
    return new


async def _until_nothing_is_sent(sessions: async_sessionmaker[AsyncSession], owner: UUID) -> None:
    """Wait for what was on its way when the state was set; after that the exchange ignores it."""
    deadline = asyncio.get_running_loop().time() + SEND_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        async with sessions() as session:
            if not await is_sending(session, owner):
                return
        await asyncio.sleep(0.05)
