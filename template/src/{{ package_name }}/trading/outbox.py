"""The outbox: what is to be sent to the exchange, committed together with what it is for."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    ForeignKey,
    Index,
    Interval,
    Select,
    String,
    and_,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, mapped_column
from sqlalchemy.sql.dml import ReturningUpdate

from ..core.database.tables import Base, new_id, one_of, words
from ..market.columns import AMOUNT
from ..market.words import Side
from .account_books import EVERYONE
from .orders.model import Order
from .risk.state import SENDING, TradingState, TradingStateRow


class CommandKind(StrEnum):
    """Kinds of commands: place an order, cancel it, credit money (paper only)."""

    PLACE = "place"
    CANCEL = "cancel"
    DEPOSIT = "deposit"


class Command(Base):
    """A table of commands that are not settled yet; one that is done is deleted.

    A dispatcher that takes one owns it until `claimed_until`, by the database's clock. One that
    was taken before (`attempts` > 0) may have been sent: the exchange is asked first.

    After `valid_until` the exchange does nothing with it, nor after `earlier_until` with what was
    sent of it before; None, if nothing was.

    A deposit without `deposit_id` is money that the books had before the exchange was there.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        one_of("kind", CommandKind),
        Index("ix_outbox_due", "due_at"),
        Index("ix_outbox_of_order", "account_id", "order_id"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[CommandKind] = mapped_column(words(CommandKind, 8))
    order_id: Mapped[UUID | None]
    deposit_id: Mapped[UUID | None]
    transfer_id: Mapped[str | None] = mapped_column(String(64))
    currency: Mapped[str | None] = mapped_column(String(16))
    amount: Mapped[Decimal | None] = mapped_column(AMOUNT)
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    due_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.clock_timestamp()
    )
    claimed_by: Mapped[str | None] = mapped_column(String(64))
    claimed_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    valid_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    earlier_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_error: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


LEASE_SECONDS = 10.0
"""For so long a dispatcher owns a command that it has taken."""
SEND_SECONDS = 5.0
"""So long after it was taken the exchange still accepts an order: less than the lease, so that one
that was frozen in between sends nothing that somebody else has given up."""

_State = aliased(TradingStateRow)
_Earlier = aliased(Command)


def _is_set(*states: TradingState) -> ColumnElement[bool]:
    return exists().where(
        _State.account_id.in_([Command.account_id, EVERYONE]), _State.state.in_(states)
    )


def _waits_for(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(_Earlier.account_id == Command.account_id, *conditions)


_buys = exists().where(
    Order.account_id == Command.account_id, Order.id == Command.order_id, Order.side == Side.BUY
)
_is_forbidden = or_(_is_set(TradingState.HALTED), and_(_buys, _is_set(TradingState.REDUCING)))
_is_held = and_(
    Command.kind == CommandKind.PLACE,
    Command.attempts == 0,  # one that may have been sent is settled nevertheless
    _is_forbidden,
)
_is_too_early = or_(
    # A cancellation is sent after the order.
    and_(
        Command.kind == CommandKind.CANCEL,
        _waits_for(_Earlier.order_id == Command.order_id, _Earlier.kind == CommandKind.PLACE),
    ),
    # An order is sent after the money that the books began with.
    and_(
        Command.kind == CommandKind.PLACE,
        _waits_for(_Earlier.kind == CommandKind.DEPOSIT, _Earlier.deposit_id.is_(None)),
    ),
)
_due = (
    select(Command.account_id, Command.id)
    .where(Command.due_at <= func.clock_timestamp(), ~_is_held, ~_is_too_early)
    .order_by(Command.due_at)
    .with_for_update(of=Command, skip_locked=True)
)


def _seconds_from_now(seconds: float) -> ColumnElement[datetime]:
    return func.clock_timestamp() + timedelta(seconds=seconds)


_SENDING = select(SENDING)


def _taken(due: Select[UUID, UUID]) -> ReturningUpdate[Command]:
    return (
        update(Command)
        .where(tuple_(Command.account_id, Command.id).in_(due))
        .values(
            attempts=Command.attempts + 1,
            claimed_by=bindparam("dispatcher"),
            claimed_until=func.clock_timestamp() + bindparam("lease", type_=Interval),
            due_at=func.clock_timestamp() + bindparam("lease", type_=Interval),
            earlier_until=Command.valid_until,
            valid_until=func.clock_timestamp() + bindparam("sending", type_=Interval),
        )
        .returning(Command)
        .execution_options(populate_existing=True)
    )


_TAKE = _taken(_due.limit(bindparam("limit")))
_TAKE_DEPOSIT = _taken(_due.where(Command.deposit_id == bindparam("deposit")))


async def take(
    session: AsyncSession, dispatcher: str, limit: int, deposit_id: UUID | None = None
) -> Sequence[Command]:
    """Take at most `limit` commands that are due, or only that of a deposit, and return them.

    Commit at once: they are the dispatcher's for LEASE_SECONDS from then on. `attempts` counts the
    times that somebody has taken them, this one included.
    """
    await session.execute(_SENDING)
    values = {
        "dispatcher": dispatcher,
        "lease": timedelta(seconds=LEASE_SECONDS),
        "sending": timedelta(seconds=SEND_SECONDS),
    }
    if deposit_id is None:
        taken = await session.scalars(_TAKE, values | {"limit": limit})
    else:
        taken = await session.scalars(_TAKE_DEPOSIT, values | {"deposit": deposit_id})
    return taken.all()


async def is_forbidden(session: AsyncSession, command: Command) -> bool:
    """Tell whether the trading state forbids to send the order, as it is now."""
    query = select(Command.id).where(
        Command.account_id == command.account_id, Command.id == command.id, _is_forbidden
    )
    return await session.scalar(query) is not None


async def put_back(
    session: AsyncSession, command: Command, seconds: float, error: str, *, may_arrive: bool
) -> None:
    """Let the command be taken again after so many seconds, unless it was taken meanwhile.

    `may_arrive`: it was sent, and nobody knows whether the exchange has got it or will.
    """
    await session.execute(
        update(Command)
        .where(*_is_own(command))
        .values(
            due_at=_seconds_from_now(seconds),
            claimed_until=func.clock_timestamp(),
            valid_until=Command.valid_until if may_arrive else Command.earlier_until,
            last_error=error[:500],
        )
        .execution_options(synchronize_session=False)
    )


async def is_own(session: AsyncSession, command: Command) -> bool:
    """Tell whether nobody has taken the command since, and keep it so until the commit."""
    query = select(Command.id).where(*_is_own(command)).with_for_update()
    return await session.scalar(query) is not None


async def may_arrive(session: AsyncSession, command: Command, margin: timedelta) -> bool:
    """Tell whether the exchange may still do what was sent before the command was taken."""
    if command.earlier_until is None:
        return False
    now = await session.scalar(select(func.clock_timestamp()))
    return now is None or now < command.earlier_until + margin


def _is_own(command: Command) -> tuple[ColumnElement[bool], ...]:
    return (
        Command.account_id == command.account_id,
        Command.id == command.id,
        Command.claimed_by == command.claimed_by,
        Command.attempts == command.attempts,
    )


_REMOVE = (
    delete(Command)
    .where(Command.account_id == bindparam("account_id"), Command.id == bindparam("id"))
    .execution_options(synchronize_session=False)
)


async def remove(session: AsyncSession, command: Command) -> None:
    """Delete a command that is settled. It may be gone already."""
    await session.execute(_REMOVE, {"account_id": command.account_id, "id": command.id})


async def is_sending(session: AsyncSession, owner: UUID) -> bool:
    """Tell whether an order of the account, or of EVERYONE, may be on its way just now."""
    query = select(Command.id).where(
        Command.kind == CommandKind.PLACE,
        Command.claimed_until > func.clock_timestamp(),
        Command.valid_until > func.clock_timestamp(),
    )
    if owner != EVERYONE:
        query = query.where(Command.account_id == owner)
    return await session.scalar(query.limit(1)) is not None


async def waiting(session: AsyncSession) -> dict[CommandKind, int]:
    """Return how many commands are not settled yet, by kind."""
    query = select(Command.kind, func.count()).group_by(Command.kind)
    return {row[0]: row[1] for row in await session.execute(query)}


async def oldest_seconds(session: AsyncSession) -> float:
    """Return the age of the oldest command that no trading state holds back; 0 without one."""
    age = func.clock_timestamp() - func.min(Command.created_at)
    seconds = await session.scalar(select(func.extract("epoch", age)).where(~_is_held))
    return max(0.0, float(seconds or 0))


async def drop_unsent(session: AsyncSession, order: Order) -> bool:
    """Delete the command to place the order if nobody has ever taken it; tell whether it was so.

    Call it with the account's books locked. A dispatcher that takes it just now is waited for.
    """
    dropped = await session.scalar(
        delete(Command)
        .where(
            Command.account_id == order.account_id,
            Command.order_id == order.id,
            Command.kind == CommandKind.PLACE,
            Command.attempts == 0,
        )
        .returning(Command.id)
    )
    return dropped is not None


async def enqueue_cancel(session: AsyncSession, order: Order) -> None:
    """Have the cancellation of the order sent, once the transaction is committed."""
    session.add(Command(account_id=order.account_id, kind=CommandKind.CANCEL, order_id=order.id))
    await session.flush()
