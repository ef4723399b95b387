"""The command line: core's commands, and this service's own.

seed-demo · accounts · instruments · deposit · keys
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from . import project
from .core.commands import create_cli, echo_table, fail, settings_or_exit, valid, with_session
from .core.database.tables import new_id
from .core.database.transactions import transactional
from .market.instruments import InstrumentRequest, Symbol, add_instrument, list_instruments
from .market.money import Amount, Currency, PositiveAmount, plain
from .notifications import channels
from .settings import get_settings
from .trading.accounts import Account, AccountName, create_account, list_accounts
from .trading.api_keys import Scope, create_api_key, list_api_keys, revoke_api_key
from .trading.demo import ACCOUNT, demo_key
from .trading.demo import seed_demo as seed
from .trading.deposits import ClientDepositId, DepositRequest, book_deposit

# yours below
# isort: split

cli = create_cli(
    name=project.NAME,
    description=project.DESCRIPTION,
    application=f"{__package__}.main:app",
    channels=lambda: channels(get_settings()),
    seed=demo_key,
)
accounts = typer.Typer(no_args_is_help=True, help="Accounts.")
instruments = typer.Typer(no_args_is_help=True, help="What can be traded.")
keys = typer.Typer(no_args_is_help=True, help="API keys.")
cli.add_typer(accounts, name="accounts")
cli.add_typer(instruments, name="instruments")
cli.add_typer(keys, name="keys")


@cli.command()
def seed_demo() -> None:
    """Create the paper account `demo` and its instruments, where they are missing."""
    settings = settings_or_exit()
    if settings.environment != "development":
        fail(
            f"`seed-demo` books money that nobody paid in, so it is not for"
            f" ENVIRONMENT={settings.environment}; `accounts create`, `instruments add` and"
            " `deposit` make what you need"
        )
    account = with_session(seed)
    typer.echo(f"Account {account.name} ({account.mode}) is ready.")


@cli.command()
def deposit(
    account: Annotated[str, typer.Argument(help="Name of the account.")],
    currency: Annotated[str, typer.Argument(parser=valid(Currency), metavar="CURRENCY")],
    amount: Annotated[Decimal, typer.Argument(parser=valid(PositiveAmount), metavar="AMOUNT")],
    client_deposit_id: Annotated[
        str | None,
        typer.Option(
            "--id",
            parser=valid(ClientDepositId),
            metavar="ID",
            help="Your own name for it. Run again with the same one it does no harm.",
        ),
    ] = None,
) -> None:
    """Book a deposit into a paper account."""
    request = DepositRequest(client_deposit_id or str(new_id()), currency, amount)

    async def book(session: AsyncSession) -> bool:
        async with transactional(session):
            owner = await _account(session, account)
            _, is_new = await book_deposit(session, owner.id, request)
            return is_new

    done = "booked" if with_session(book) else "was booked before"
    typer.echo(f"{plain(amount)} {currency} for {account}: {done}, as {request.client_deposit_id}.")


@accounts.command("create")
def create_account_(
    name: Annotated[str, typer.Argument(parser=valid(AccountName), metavar="NAME")],
) -> None:
    """Create a paper account, without money."""

    async def create(session: AsyncSession) -> Account:
        async with transactional(session):
            return await create_account(session, name)

    account = with_session(create)
    typer.echo(f"Account {account.name} ({account.mode}) is created: {account.id}")


@accounts.command("list")
def list_accounts_() -> None:
    """List the accounts, by name."""
    rows = [
        (account.name, account.mode, account.id, _day(account.created_at))
        for account in with_session(list_accounts)
    ]
    echo_table(("name", "mode", "id", "created"), *rows)


@instruments.command("add")
def add_instrument_(
    symbol: Annotated[str, typer.Argument(parser=valid(Symbol), metavar="SYMBOL")],
    base: Annotated[str, typer.Option(parser=valid(Currency), help="What is traded.")],
    quote: Annotated[str, typer.Option(parser=valid(Currency), help="What it is paid with.")],
    price_increment: Annotated[
        Decimal, typer.Option(parser=valid(PositiveAmount), help="Prices are multiples of it.")
    ],
    size_increment: Annotated[
        Decimal, typer.Option(parser=valid(PositiveAmount), help="Quantities are multiples of it.")
    ],
    min_notional: Annotated[
        Decimal, typer.Option(parser=valid(Amount), help="The least that quantity x price may be.")
    ] = Decimal(0),
) -> None:
    """Add an instrument: a pair of currencies."""
    request = InstrumentRequest(symbol, base, quote, price_increment, size_increment, min_notional)

    async def add(session: AsyncSession) -> None:
        async with transactional(session):
            await add_instrument(session, request)

    with_session(add)
    typer.echo(f"Instrument {symbol} is added.")


@instruments.command("list")
def list_instruments_() -> None:
    """List the instruments, by symbol."""
    rows = [
        (
            row.symbol,
            row.base_currency,
            row.quote_currency,
            plain(row.price_increment),
            plain(row.size_increment),
            plain(row.min_notional),
        )
        for row in with_session(list_instruments)
    ]
    head = ("symbol", "base", "quote", "price increment", "size increment", "min notional")
    echo_table(head, *rows)


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
            owner = await _account(session, account)
            return await create_api_key(session, owner, chosen, cell=get_settings().cell)

    typer.echo(with_session(create_key))


@keys.command("list")
def list_keys() -> None:
    """List the API keys, oldest first, those that were revoked included."""
    rows = [
        (
            key.id,
            key.account.name,
            ",".join(key.scopes),
            _day(key.created_at),
            f"revoked {_day(key.revoked_at)}" if key.revoked_at else "active",
        )
        for key in with_session(list_api_keys)
    ]
    echo_table(("id", "account", "scopes", "created", "state"), *rows)


@keys.command()
def revoke(key_id: Annotated[UUID, typer.Argument(help="As `keys list` shows it.")]) -> None:
    """Revoke an API key: from now on it is answered 401."""

    async def revoke_key(session: AsyncSession) -> None:
        async with transactional(session):
            await revoke_api_key(session, key_id)

    with_session(revoke_key)
    typer.echo(f"API key {key_id} is revoked.")


async def _account(session: AsyncSession, name: str) -> Account:
    """Return the account of that name, or end the process with what to do."""
    found = {account.name: account for account in await list_accounts(session)}
    if name not in found:
        known = f"only {', '.join(found)}" if found else "and no other"
        fail(
            f"There is no account {name!r}, {known}; `{project.SLUG} accounts create {name}` makes it"
        )
    return found[name]


def _day(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d")


# yours below


if __name__ == "__main__":
    cli()
