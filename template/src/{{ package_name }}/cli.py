"""The command line: core's commands, and this service's own: seed-demo · keys."""

from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from . import project
from .core.commands import create_cli, with_session
from .core.database.transactions import transactional
from .notifications import channels
from .settings import get_settings
from .trading.accounts import get_account
from .trading.api_keys import Scope, create_api_key, list_api_keys, revoke_api_key
from .trading.demo import ACCOUNT, demo_key
from .trading.demo import seed_demo as seed

# yours below
# isort: split

cli = create_cli(
    name=project.NAME,
    description=project.DESCRIPTION,
    application=f"{__package__}.main:app",
    channels=lambda: channels(get_settings()),
    seed=demo_key,
)
keys = typer.Typer(no_args_is_help=True, help="API keys.")
cli.add_typer(keys, name="keys")


@cli.command()
def seed_demo() -> None:
    """Create the paper account `demo` and its instruments, where they are missing."""
    account = with_session(seed)
    typer.echo(f"Account {account.name} ({account.mode}) is ready.")


@keys.command()
def create(
    scopes: Annotated[str, typer.Option(help="Of read, trade, admin; separated by commas.")],
    account: Annotated[str, typer.Option(help="Name of the account the key acts for.")] = ACCOUNT,
) -> None:
    """Create an API key and print it. It can't be shown again: only its hash is stored."""
    try:
        chosen = {Scope(scope.strip()) for scope in scopes.split(",")}
    except ValueError:
        raise typer.BadParameter(f"{scopes!r} is not a list of read, trade, admin") from None

    async def create_key(session: AsyncSession) -> str:
        async with transactional(session):
            owner = await get_account(session, account)
            return await create_api_key(session, owner, chosen, cell=get_settings().cell)

    typer.echo(with_session(create_key))


@keys.command("list")
def list_keys() -> None:
    """List the API keys: id, account, scopes, and whether they were revoked."""
    for key in with_session(list_api_keys):
        state = "revoked" if key.revoked_at else "active"
        typer.echo(f"{key.id}  {key.account.name}  {','.join(key.scopes)}  {state}")


@keys.command()
def revoke(key_id: Annotated[UUID, typer.Argument(help="As `keys list` shows it.")]) -> None:
    """Revoke an API key: from now on it is answered 401."""

    async def revoke_key(session: AsyncSession) -> None:
        async with transactional(session):
            await revoke_api_key(session, key_id)

    with_session(revoke_key)
    typer.echo(f"API key {key_id} is revoked.")


# yours below
