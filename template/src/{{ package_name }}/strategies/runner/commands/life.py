"""`strategy start`, `pause`, `resume` and `stop`: its condition."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from ....core.commands import settings_or_exit, with_transaction
from .finding import ACTOR, AccountOption, NameArgument, found_by

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from ..model import Instance
    from ..settings import RunnerSettings


class Mode(StrEnum):
    """The fates of what a strategy has open, for the command line."""

    KEEP = "keep"
    CANCEL = "cancel"
    CLOSE = "close"


def start(name: NameArgument, account: AccountOption = None) -> None:
    """Start a strategy; one that was stopped with `keep`, or has failed, goes on."""
    from .. import life

    _changed(name, account, life.start)


def pause(name: NameArgument, account: AccountOption = None) -> None:
    """Have a strategy open no position; exits and counter orders go on."""
    from .. import life

    _changed(name, account, life.pause)


def resume(name: NameArgument, account: AccountOption = None) -> None:
    """Have a paused strategy open positions again."""
    from .. import life

    _changed(name, account, life.resume)


def stop(
    name: NameArgument,
    account: AccountOption = None,
    mode: Annotated[
        Mode, typer.Option(help="keep all; cancel its orders; close its position, too.")
    ] = Mode.CANCEL,
) -> None:
    """Stop a strategy. The service does it within a minute, or says what is left."""
    from .. import life
    from ..model import StopMode

    runner = _settings()

    async def change(
        session: AsyncSession, account_id: UUID, strategy_id: UUID, actor: str
    ) -> Instance:
        return await life.stop(
            session, account_id, strategy_id, StopMode(mode.value), actor, runner
        )

    _changed(name, account, change)


def _changed(
    name: str,
    account: str | None,
    change: Callable[[AsyncSession, UUID, UUID, str], Awaitable[Instance]],
) -> None:
    async def run(session: AsyncSession) -> Instance:
        instance = await found_by(session, name, account)
        return await change(session, instance.account_id, instance.id, ACTOR)

    instance = with_transaction(run)
    typer.echo(f"Strategy {instance.name} is {instance.status.value}.")


def _settings() -> RunnerSettings:
    from ..settings import StrategySettings

    settings = settings_or_exit()
    assert isinstance(settings, StrategySettings)
    return settings.strategies
