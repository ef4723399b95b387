"""The life of strategies: starting, pausing, resuming and stopping them.

Each change is a transaction with an entry of the audit; the replica that runs the strategy, or
will, sees it when it looks the next time.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from ...core.database.transactions import transactional
from ...core.errors import TradingException
from .acting import set_status
from .codes import StrategyErrorCode
from .model import Desired, Instance, Status, StopMode
from .queries import get_instance
from .settings import RunnerSettings

_LEFT: Final = (Status.FAILED, Status.STOP_INCOMPLETE)
"""Of an instance that nobody runs, and that may have something open."""


async def start(session: AsyncSession, account_id: UUID, strategy_id: UUID, actor: str) -> Instance:
    """Have the strategy run. One that runs already goes on; one that is paused stays so.

    Raises TradingException STRATEGY_NOT_FOUND, STRATEGY_STOPPING or SYMBOL_HAS_STRATEGY.
    """
    async with transactional(session, nested="join"):
        instance = await get_instance(session, account_id, strategy_id, lock=True)
        _refuse_stopping(instance)
        if instance.is_active:
            return instance
        async with _alone_on_its_symbol(session, instance):
            instance.stop_mode = instance.stop_deadline = None
            instance.errors, instance.errors_since = 0, None
            await set_status(session, instance, Status.STARTING, "", actor, Desired.RUNNING)
    return instance


@asynccontextmanager
async def _alone_on_its_symbol(session: AsyncSession, instance: Instance) -> AsyncIterator[None]:
    """Have the strategy become active. Raises TradingException SYMBOL_HAS_STRATEGY."""
    symbol = instance.symbol
    try:
        async with transactional(session):
            yield
            await session.flush()
    except IntegrityError:
        raise TradingException(
            StrategyErrorCode.SYMBOL_HAS_STRATEGY,
            f"Another strategy of the account trades {symbol} now",
            {"symbol": symbol},
        ) from None


async def pause(session: AsyncSession, account_id: UUID, strategy_id: UUID, actor: str) -> Instance:
    """Have the strategy open no position; it still leaves them, and counter orders go on."""

    def change(instance: Instance) -> Status:
        return instance.status if instance.status is Status.STARTING else Status.PAUSED

    return await _change(session, account_id, strategy_id, actor, Desired.PAUSED, change)


async def resume(
    session: AsyncSession, account_id: UUID, strategy_id: UUID, actor: str
) -> Instance:
    """Have a paused strategy open positions again."""

    def change(instance: Instance) -> Status:
        return instance.status if instance.status is Status.STARTING else Status.RUNNING

    return await _change(session, account_id, strategy_id, actor, Desired.RUNNING, change)


async def _change(
    session: AsyncSession,
    account_id: UUID,
    strategy_id: UUID,
    actor: str,
    desired: Desired,
    status_of: Callable[[Instance], Status],
) -> Instance:
    async with transactional(session, nested="join"):
        instance = await get_instance(session, account_id, strategy_id, lock=True)
        _refuse_stopping(instance)
        if not instance.is_active:
            raise TradingException(
                StrategyErrorCode.STRATEGY_NOT_RUNNING,
                f"The strategy is {instance.status.value}; start it first",
                {"status": instance.status.value},
            )
        if instance.desired is not desired:
            await set_status(session, instance, status_of(instance), "", actor, desired)
        return instance


def _refuse_stopping(instance: Instance) -> None:
    if instance.status is Status.STOPPING:
        raise TradingException(
            StrategyErrorCode.STRATEGY_STOPPING, "The strategy is being stopped; wait until it is"
        )


async def stop(
    session: AsyncSession,
    account_id: UUID,
    strategy_id: UUID,
    mode: StopMode,
    actor: str,
    settings: RunnerSettings,
) -> Instance:
    """Have the strategy stop; what it has open ends as `mode` says, before the deadline.

    One that does not run is stopped already, but for what has failed, or is left of a stop that was
    incomplete. Asked again while it stops, the mode is the new one.

    Raises TradingException STRATEGY_NOT_FOUND, or SYMBOL_HAS_STRATEGY where something is left to
    end, and another strategy trades the instrument.
    """
    async with transactional(session, nested="join"):
        instance = await get_instance(session, account_id, strategy_id, lock=True)
        if not instance.is_active:
            if mode is StopMode.KEEP and instance.status is not Status.STOPPED:
                await set_status(session, instance, Status.STOPPED, "", actor, Desired.STOPPED)
            if instance.status not in _LEFT:
                return instance
        async with _alone_on_its_symbol(session, instance):
            if instance.status is not Status.STOPPING:
                now = (await session.scalars(select(func.clock_timestamp()))).one()
                instance.stop_deadline = now + timedelta(seconds=settings.stop_timeout)
            instance.stop_mode = mode
            reason = f"stop was asked for, mode {mode.value}"
            await set_status(session, instance, Status.STOPPING, reason, actor, Desired.STOPPED)
        return instance
