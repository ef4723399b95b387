"""The strategy that a command is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ....core.commands import fail

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from ....trading.accounts import Account
    from ..model import Instance

ACTOR = "cli"

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the strategy.")]
AccountOption = Annotated[
    str | None,
    typer.Option("--account", help="Name of its account; not needed where one has that strategy."),
]


async def account_of(session: AsyncSession, name: str) -> Account:
    from ....trading.accounts import get_account

    return await get_account(session, name)


async def found_by(session: AsyncSession, name: str, account: str | None) -> Instance:
    """Return the strategy of that name or id, or end the process with what to do."""
    from sqlalchemy import String, cast, or_, select

    from ..model import Instance

    query = select(Instance).where(or_(Instance.name == name, cast(Instance.id, String) == name))
    if account is not None:
        query = query.where(Instance.account_id == (await account_of(session, account)).id)
    found = list(await session.scalars(query.limit(2)))
    if not found:
        fail(f"There is no strategy {name!r}; `strategy list` shows what there is")
    if len(found) > 1:
        fail(f"Several accounts have a strategy {name!r}: say which one with --account")
    return found[0]
