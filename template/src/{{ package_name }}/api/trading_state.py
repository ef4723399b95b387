"""`/v1/trading-state`, and the same below an account."""

from datetime import datetime
from uuid import UUID

from fastapi import Request
from pydantic import BaseModel, ConfigDict

from ..core.api import ServiceRouter, errors
from ..core.database.session import ReadingSessionDep, SessionsDep
from ..trading.account_books import EVERYONE
from ..trading.accounts import Account, get_account_by_id
from ..trading.codes import TradingErrorCode
from ..trading.risk.changing import change_state
from ..trading.risk.state import Reason, TradingState, get_state, state_in_force
from .page import FromRow, example
from .security import AdminAccount, ReadAccount, actor_of, own_account

router = ServiceRouter(tags=["trading state"])


class NewTradingState(BaseModel):
    """Trading state to set, and why."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra=example(state="halted", reason="a look at the books")
    )

    state: TradingState
    reason: Reason


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
    actor = actor_of(request)
    state = await change_state(sessions, owner, new.state, new.reason, actor)
    return TradingStateNow.model_validate(state)
