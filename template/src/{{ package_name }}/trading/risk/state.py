"""The trading state: whether orders may be placed at all, for the service and for each account."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import StringConstraints
from sqlalchemy import DateTime, String, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ...core.database.tables import Base, one_of, words
from ...core.database.transactions import transactional
from .. import audit
from ..account_books import EVERYONE, AccountBooks, lock_books
from ..events import EventType, NewEvent, record
from ..wakes import wake_account, wake_dispatcher

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
"""Reason why somebody sets a state."""


class TradingState(StrEnum):
    """States of trading. Cancellations always pass.

    `active`: orders pass. `reducing`: only those that make a position smaller. `halted`: none.
    """

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


class TradingStateRow(Base):
    """A table of the states that were set; without a row, trading is active."""

    __tablename__ = "trading_states"
    __table_args__ = (one_of("state", TradingState),)

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[TradingState] = mapped_column(words(TradingState, 8))
    reason: Mapped[str] = mapped_column(String(500))
    changed_by: Mapped[str] = mapped_column(String(64))
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


@dataclass(frozen=True, slots=True)
class StateOfTrading:
    """A trading state with its reason, and by whom it was set when."""

    state: TradingState
    reason: str = ""
    changed_by: str | None = None
    changed_at: datetime | None = None


_ACTIVE: Final = StateOfTrading(TradingState.ACTIVE)
_STRICTNESS: Final = list(TradingState).index
SENDING: Final = func.pg_advisory_xact_lock_shared(0x5EED_57A7E)
SETTING: Final = func.pg_advisory_xact_lock(0x5EED_57A7E)
"""Lock that who takes commands to send them shares, and who changes the state has alone: a
dispatcher takes them before the change is committed, or it sees the change."""


async def get_state(session: AsyncSession, owner: UUID) -> StateOfTrading:
    """Return the state that was set for the account, or for EVERYONE."""
    row = await session.get(TradingStateRow, owner, populate_existing=True)
    return _ACTIVE if row is None else _state_of(row)


async def state_in_force(session: AsyncSession, account_id: UUID) -> StateOfTrading:
    """Return the stricter of the account's state and everyone's."""
    return (await states_in_force(session, [account_id]))[account_id]


async def states_in_force(
    session: AsyncSession, account_ids: Collection[UUID]
) -> dict[UUID, StateOfTrading]:
    """Return for each account the stricter of its state and everyone's."""
    owners = [*account_ids, EVERYONE]
    query = select(TradingStateRow).where(TradingStateRow.account_id.in_(owners))
    rows = await session.scalars(query, execution_options={"populate_existing": True})
    known = {row.account_id: _state_of(row) for row in rows}
    of_all = known.get(EVERYONE, _ACTIVE)
    return {
        owner: max(of_all, known.get(owner, _ACTIVE), key=lambda one: _STRICTNESS(one.state))
        for owner in account_ids
    }


async def set_state(
    session: AsyncSession, owner: UUID, state: TradingState, reason: str, actor: str
) -> StateOfTrading:
    """Set the state of the account, or of EVERYONE, with an entry of the audit; return it.

    In the caller's transaction, if there is one. `actor`: the id of an API key, `cli`, `service`.
    """
    async with transactional(session, nested="join"):
        if owner != EVERYONE:
            await lock_books(session, owner)
        await session.execute(select(SETTING))
        before = await get_state(session, owner)
        values = {"state": state, "reason": reason, "changed_by": actor}
        row = await session.scalar(
            insert(TradingStateRow)
            .values(account_id=owner, **values)
            .on_conflict_do_update(
                index_elements=["account_id"], set_=values | {"changed_at": func.now()}
            )
            .returning(TradingStateRow),
            execution_options={"populate_existing": True},
        )
        assert row is not None
        after = _state_of(row)
        await audit.note(
            session,
            account_id=owner,
            actor=actor,
            action="trading_state.set",
            before=_words(before),
            after=_words(after),
        )
        if owner != EVERYONE:
            await tell_streams(session, owner)
        wake_dispatcher(session)
        return after


async def tell_streams(session: AsyncSession, account_id: UUID) -> None:
    """Add an event with the state that is in force for the account."""
    await lock_books(session, account_id)
    state = await state_in_force(session, account_id)
    await record(session, account_id, NewEvent(EventType.TRADING_STATE, _words(state)))
    wake_account(session, account_id)


async def list_states(session: AsyncSession) -> list[tuple[UUID, StateOfTrading]]:
    """Return every state that was set, everyone's first."""
    rows = await session.scalars(select(TradingStateRow).order_by(TradingStateRow.account_id))
    return [(row.account_id, _state_of(row)) for row in rows]


async def accounts_with_books(session: AsyncSession) -> list[UUID]:
    """Return every account, to tell its streams of a state that was set for everyone."""
    return list(await session.scalars(select(AccountBooks.account_id)))


def _state_of(row: TradingStateRow) -> StateOfTrading:
    return StateOfTrading(row.state, row.reason, row.changed_by, row.changed_at)


def _words(state: StateOfTrading) -> dict[str, Any]:
    return {"state": state.state.value, "reason": state.reason}
