"""The strategy that a command is about."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from ....core.commands import fail

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from ....trading.accounts import Account
    from ..model import Instance

ACTOR = "cli"

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of the strategy.")]
AccountOption = Annotated[
    str | None,
    typer.Option("--account", help="Name of its account; not needed where one has that strategy."),
]


async def account_of(session: AsyncSession, name: str) -> Account:
    from ....trading.accounts import get_account

    return await get_account(session, name)


async def found_by(session: AsyncSession, name: str, account: str | None) -> Instance:
    """Return the strategy of that id or name, or end the process with what to do.

    A strategy may be named like the id of another one. The id counts: nobody has chosen it.
    """
    from sqlalchemy import select

    from ..model import Instance

    query = select(Instance)
    if account is not None:
        query = query.where(Instance.account_id == (await account_of(session, account)).id)
    with suppress(ValueError):
        found = await session.scalar(query.where(Instance.id == UUID(name)))
        if found is not None:
            return found
    named = list(await session.scalars(query.where(Instance.name == name).limit(2)))
    if not named:
        fail(f"There is no strategy {name!r}; `strategy list` shows what there is")
    if len(named) > 1:
        fail(f"Several accounts have a strategy {name!r}: say which one with --account")
    return named[0]
