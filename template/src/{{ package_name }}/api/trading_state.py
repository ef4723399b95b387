"""`/v1/trading-state`, and the same below an account."""

import asyncio
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Request
from pydantic import BaseModel, ConfigDict, StringConstraints

from ..core.api import ServiceRouter, errors
from ..core.database.session import ReadingSessionDep, SessionsDep
from ..core.database.transactions import transactional
from ..trading.account_books import EVERYONE
from ..trading.accounts import Account, get_account_by_id
from ..trading.codes import TradingErrorCode
from ..trading.outbox import SEND_SECONDS, is_sending
from ..trading.risk.state import (
    TradingState,
    accounts_with_books,
    get_state,
    set_state,
    state_in_force,
    tell_streams,
)
from .page import FromRow, example
from .security import AdminAccount, ReadAccount, actor_of, own_account

router = ServiceRouter(tags=["trading state"])


class NewTradingState(BaseModel):
    """Trading state to set, and why."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra=example(state="halted", reason="a look at the books")
    )

    state: TradingState
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class TradingStateNow(FromRow):
    """Trading state, by whom it was set when, and why."""

    model_config = ConfigDict(
        json_schema_extra=example(
            state="halted",
            reason="a look at the books",
            changed_by="019ab0c4-6f70-7b21-9c3d-4e5f60718293",
            changed_at="2026-11-25T09:30:00Z",
        )
    )

    state: TradingState
    reason: str
    changed_by: str | None
    changed_at: datetime | None


@router.get("/trading-state", summary="Get the trading state of the whole service")
async def get_trading_state(_account: ReadAccount, session: ReadingSessionDep) -> TradingStateNow:
    return TradingStateNow.model_validate(await get_state(session, EVERYONE))


@router.put(
    "/trading-state",
    summary="Set the trading state of the whole service; needs the scope `admin`",
)
async def set_trading_state(
    request: Request, new: NewTradingState, _account: AdminAccount, sessions: SessionsDep
) -> TradingStateNow:
    """`halted`: no order is sent to the exchange any more when this has answered."""
    return await _set(request, sessions, EVERYONE, new)


@router.get(
    "/accounts/{account_id}/trading-state",
    summary="Get the trading state that is in force for an account",
    responses=errors(TradingErrorCode.ACCOUNT_NOT_FOUND),
)
async def get_account_trading_state(
    account_id: UUID, account: ReadAccount, session: ReadingSessionDep
) -> TradingStateNow:
    """The stricter of the account's own and the whole service's."""
    own_account(account, account_id)
    return TradingStateNow.model_validate(await state_in_force(session, account_id))


@router.put(
    "/accounts/{account_id}/trading-state",
    summary="Set the trading state of an account; needs the scope `admin`",
    responses=errors(TradingErrorCode.ACCOUNT_NOT_FOUND),
)
async def set_account_trading_state(
    request: Request,
    account_id: UUID,
    new: NewTradingState,
    _account: AdminAccount,
    sessions: SessionsDep,
) -> TradingStateNow:
    """`halted`: none of its orders is sent to the exchange any more when this has answered."""
    async with sessions() as session:
        account: Account = await get_account_by_id(session, account_id)
    return await _set(request, sessions, account.id, new)


async def _set(
    request: Request, sessions: SessionsDep, owner: UUID, new: NewTradingState
) -> TradingStateNow:
    async with sessions() as session, transactional(session) as tx:
        state = await set_state(tx, owner, new.state, new.reason, actor_of(request))
    if owner == EVERYONE:
        async with sessions() as session:
            accounts = await accounts_with_books(session)
        for account_id in accounts:
            async with sessions() as session, transactional(session) as tx:
                await tell_streams(tx, account_id)
    if new.state is not TradingState.ACTIVE:
        await _until_nothing_is_sent(sessions, owner)
    return TradingStateNow.model_validate(state)


async def _until_nothing_is_sent(sessions: SessionsDep, owner: UUID) -> None:
    """Wait for what was on its way when the state was set; after that the exchange ignores it."""
    deadline = asyncio.get_running_loop().time() + SEND_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        async with sessions() as session:
            if not await is_sending(session, owner):
                return
        await asyncio.sleep(0.05)
