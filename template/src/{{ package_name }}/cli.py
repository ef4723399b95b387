"""The command line: core's commands, and this service's own.

seed-demo · accounts · instruments · deposit · keys · trading-state · limits · candles ·
strategy · verify-books

A command imports what it works with when it is run, so that no other one waits for that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from uuid import UUID

import typer

from . import project
from .backtests.commands import backtest_commands
from .core.commands import (
    create_cli,
    echo_table,
    fail,
    or_fail,
    settings_or_exit,
    valid,
    with_session,
    with_transaction,
)
from .notifications import channels, has_channels
from .settings import get_settings
from .strategies.runner.commands import commands as strategy_commands
from .trading.candles.commands import commands as candle_commands

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from .core.config import Settings
    from .core.database.session import Database
    from .exchanges.client import ExchangeClient
    from .trading.accounts import Account
    from .trading.risk.limits import OwnLimits
    from .trading.risk.state import StateOfTrading, TradingState

# isort: split
# yours below

ResultT = TypeVar("ResultT")


async def _demo_key(settings: Settings, known: str) -> str:
    from .strategies.runner.demo import start_demo_strategies
    from .trading.demo import demo_key

    key = await demo_key(settings, known)
    await start_demo_strategies(settings)
    return key


def _first_steps(address: str, key: str) -> list[str]:
    from .trading.demo import first_steps

    return first_steps(address, key)


cli = create_cli(
    name=project.NAME,
    description=project.DESCRIPTION,
    application=f"{__package__}.main:app",
    channels=lambda: channels(get_settings()),
    has_channels=has_channels(),
    seed=_demo_key,
    first_steps=_first_steps,
)
account_commands = typer.Typer(no_args_is_help=True, help="Accounts.")
instrument_commands = typer.Typer(no_args_is_help=True, help="What can be traded.")
key_commands = typer.Typer(no_args_is_help=True, help="API keys.")
state_commands = typer.Typer(no_args_is_help=True, help="Whether orders may be placed.")
limit_commands = typer.Typer(no_args_is_help=True, help="What the orders of an account may be.")
cli.add_typer(account_commands, name="accounts")
cli.add_typer(instrument_commands, name="instruments")
cli.add_typer(key_commands, name="keys")
cli.add_typer(state_commands, name="trading-state")
cli.add_typer(limit_commands, name="limits")
cli.add_typer(candle_commands, name="candles")
cli.add_typer(strategy_commands, name="strategy")


# --- Values that are typed ---


def _account_name(text: str) -> Any:
    from .trading.accounts import AccountName

    return valid(AccountName)(text)


def _deposit_id(text: str) -> Any:
    from .trading.deposits import ClientDepositId

    return valid(ClientDepositId)(text)


def _symbol(text: str) -> Any:
    from .market.instruments import Symbol

    return valid(Symbol)(text)


def _currency(text: str) -> Any:
    from .market.money import Currency

    return valid(Currency)(text)


def _amount(text: str) -> Any:
    from .market.money import Amount

    return valid(Amount)(text)


def _positive_amount(text: str) -> Any:
    from .market.money import PositiveAmount

    return valid(PositiveAmount)(text)


def _trading_state(text: str) -> Any:
    from .trading.risk.state import TradingState

    return valid(TradingState)(text)


def _reason(text: str) -> Any:
    from .trading.risk.state import Reason

    return valid(Reason)(text)


def _limit(text: str) -> tuple[str, Decimal | int | None]:
    from .trading.risk.limits import OWN_LIMITS

    name, _, value = text.partition("=")
    if name not in OWN_LIMITS:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(OWN_LIMITS)}")
    return name, None if value == "default" else valid(OWN_LIMITS[name])(value)


# --- Money ---------------------------------------------------------------------------------------


@cli.command()
def seed_demo() -> None:
    """Create the paper account `demo` and its instruments, where they are missing."""
    environment = settings_or_exit().environment
    if environment != "development":
        fail(
            f"`seed-demo` books money that nobody paid in: not with ENVIRONMENT={environment}."
            " `accounts create`, `instruments add` and `deposit` make what you need"
        )
    from .trading.demo import seed_demo as seed

    account = _with_exchange(seed)
    typer.echo(f"Account {account.name} ({account.mode}) is ready.")


@cli.command()
def deposit(
    account: Annotated[str, typer.Argument(help="Name of the account.")],
    currency: Annotated[str, typer.Argument(parser=_currency, metavar="CURRENCY")],
    amount: Annotated[Decimal, typer.Argument(parser=_positive_amount, metavar="AMOUNT")],
    client_deposit_id: Annotated[
        str | None,
        typer.Option(
            "--id",
            parser=_deposit_id,
            metavar="ID",
            help="Your own name for it. Run again with the same one it does no harm.",
        ),
    ] = None,
) -> None:
    """Book a deposit into a paper account."""
    from .core.database.tables import new_id
    from .market.money import plain
    from .trading import deposits

    request = deposits.DepositRequest(client_deposit_id or str(new_id()), currency, amount)

    async def book(session: AsyncSession, exchange: ExchangeClient) -> bool:
        owner = await _account(session, account)
        _, is_new = await deposits.deposit_now(session, exchange, owner.id, request)
        return is_new

    done = "is booked" if _with_exchange(book) else "was booked before"
    typer.echo(f"Deposit {request.client_deposit_id} {done}: {plain(amount)} {currency}.")


def _with_exchange(work: Callable[[AsyncSession, ExchangeClient], Awaitable[ResultT]]) -> ResultT:
    """Run `work` with a session and the exchange of the settings, and return its result."""
    from .exchanges.factory import open_exchange

    return _with_database(
        lambda session, database: work(session, open_exchange(get_settings(), database).client)
    )


def _with_database(work: Callable[[AsyncSession, Database], Awaitable[ResultT]]) -> ResultT:
    """Run `work` with a session and what makes others, and return its result."""
    from .core.database.session import Database

    async def run(session: AsyncSession) -> ResultT:
        database = Database(get_settings())
        try:
            return await work(session, database)
        finally:
            await database.close()

    return with_session(run)


@cli.command()
def verify_books() -> None:
    """Prove that money, orders, fills, positions and events agree; else name the rows."""
    import asyncio

    from .trading import books

    async def verify() -> int:
        faults = 0
        async with books.reading_books(get_settings()) as connection:
            async for fault in books.verify_books(connection):
                faults += 1
                typer.echo(
                    f"{fault.rule}: {fault.row}, of account {fault.account_id},"
                    f" is {fault.found}, not {fault.expected}"
                )
            if flagged := await books.count_flagged(connection):
                typer.echo(
                    f"{flagged} fills are stored and not booked; GET /v1/fills shows them with"
                    " their `flag`",
                    err=True,
                )
        return faults

    settings_or_exit()
    if faults := or_fail(lambda: asyncio.run(verify())):
        fail(f"The books are wrong: {faults} faults")
    typer.echo("The books are right.")


# --- Accounts ------------------------------------------------------------------------------------


@account_commands.command("create")
def create_account(
    name: Annotated[str, typer.Argument(parser=_account_name, metavar="NAME")],
) -> None:
    """Create a paper account, without money."""
    from .trading import accounts

    account = with_transaction(lambda session: accounts.create_account(session, name))
    typer.echo(f"Account {account.name} ({account.mode}) is created: {account.id}")


@account_commands.command("list")
def list_accounts() -> None:
    """List the accounts: name, mode, id, day of creation."""
    from .trading import accounts

    echo_table(
        *(
            (account.name, account.mode, account.id, _day(account.created_at))
            for account in with_session(accounts.list_accounts)
        ),
    )


async def _account(session: AsyncSession, name: str) -> Account:
    """Return the account of that name, or end the process with what to do."""
    from .core.errors import TradingException
    from .trading import accounts

    try:
        return await accounts.get_account(session, name)
    except TradingException:
        first = await accounts.list_accounts(session, limit=_MOST_NAMES + 1)
        names = ", ".join(account.name for account in first[:_MOST_NAMES])
        more = ", ..." if len(first) > _MOST_NAMES else ""
        known = f"only {names}{more}" if names else "and no other"
        command = f"{project.SLUG} accounts create {name}"
        fail(f"There is no account {name!r}, {known}; `{command}` makes it")


_MOST_NAMES = 10


# --- Instruments ---------------------------------------------------------------------------------


def _option(parser: Callable[[str], Any], explanation: str) -> object:
    return typer.Option(parser=parser, metavar="AMOUNT", help=explanation)


@instrument_commands.command("add")
def add_instrument(
    symbol: Annotated[str, typer.Argument(parser=_symbol, metavar="SYMBOL")],
    base: Annotated[
        str, typer.Option(parser=_currency, metavar="CURRENCY", help="What is traded.")
    ],
    quote: Annotated[
        str, typer.Option(parser=_currency, metavar="CURRENCY", help="What pays for it.")
    ],
    price_increment: Annotated[
        Decimal, _option(_positive_amount, "Prices are multiples of it, in quote units.")
    ],
    size_increment: Annotated[
        Decimal, _option(_positive_amount, "Quantities are multiples of it, in base units.")
    ],
    min_notional: Annotated[Decimal, _option(_amount, "Least quantity x price, in quote units.")],
) -> None:
    """Add an instrument: a pair of currencies."""
    from .market import instruments

    request = instruments.InstrumentRequest(
        symbol, base, quote, price_increment, size_increment, min_notional
    )
    with_transaction(lambda session: instruments.add_instrument(session, request))
    typer.echo(f"Instrument {symbol} is added.")


@instrument_commands.command("list")
def list_instruments() -> None:
    """List the instruments: symbol, base, quote, price and size increment, minimum notional."""
    from .market import instruments
    from .market.money import plain

    echo_table(
        *(
            (
                row.symbol,
                row.base_currency,
                row.quote_currency,
                plain(row.price_increment),
                plain(row.size_increment),
                plain(row.min_notional),
            )
            for row in with_session(instruments.list_instruments)
        ),
    )


# --- API keys ------------------------------------------------------------------------------------


@key_commands.command("create")
def create_key(
    scopes: Annotated[
        str,
        typer.Option(
            help="Of read, trade, admin; separated by commas. read and trade are for the account,"
            " admin is for the whole service."
        ),
    ],
    account: Annotated[str, typer.Option(help="Name of the account the key acts for.")] = "demo",
) -> None:
    """Create an API key and print it. It can't be shown again: only its hash is stored."""
    from .trading import api_keys

    try:
        chosen = {api_keys.Scope(scope.strip()) for scope in scopes.split(",")}
    except ValueError:
        raise typer.BadParameter(f"{scopes!r} is not a list of read, trade, admin") from None

    async def create(session: AsyncSession) -> str:
        owner = await _account(session, account)
        return await api_keys.create_api_key(session, owner, chosen, cell=get_settings().cell)

    typer.echo(with_transaction(create))


@key_commands.command("list")
def list_keys() -> None:
    """List the API keys, oldest first: id, account, scopes, day of creation, active or revoked."""
    from .trading import api_keys

    echo_table(
        *(
            (
                key.id,
                key.account.name,
                ",".join(key.scopes),
                _day(key.created_at),
                f"revoked {_day(key.revoked_at)}" if key.revoked_at else "active",
            )
            for key in with_session(api_keys.list_api_keys)
        ),
    )


@key_commands.command("revoke")
def revoke_key(key_id: Annotated[UUID, typer.Argument(help="As `keys list` shows it.")]) -> None:
    """Revoke an API key: within KEY_CACHE_SECONDS it is answered 401."""
    from .trading import api_keys

    with_transaction(lambda session: api_keys.revoke_api_key(session, key_id))
    seconds = get_settings().key_cache_seconds
    typer.echo(f"API key {key_id} is revoked; within {seconds:g} seconds no process accepts it.")


def _day(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d")


# --- Trading state -------------------------------------------------------------------------------


@state_commands.command("show")
def show_states() -> None:
    """List the trading states that were set: whose, state, since when, set by whom, reason."""
    from .trading import accounts
    from .trading.account_books import EVERYONE
    from .trading.risk.state import StateOfTrading, TradingState, list_states

    async def read(session: AsyncSession) -> list[tuple[str, StateOfTrading]]:
        names = {account.id: account.name for account in await accounts.list_accounts(session)}
        states = dict(await list_states(session))
        everyones = states.pop(EVERYONE, StateOfTrading(TradingState.ACTIVE))
        return [(_EVERY_ACCOUNT, everyones), *((names[own], states[own]) for own in states)]

    echo_table(
        *(
            (
                owner,
                state.state.value,
                _second(state.changed_at) if state.changed_at else "never set",
                state.changed_by or "",
                state.reason,
            )
            for owner, state in with_session(read)
        ),
    )


@state_commands.command("set")
def set_trading_state(
    state: Annotated[
        str,
        typer.Argument(
            parser=_trading_state,
            metavar="STATE",
            help="active; reducing: only what makes a position smaller; halted: no order.",
        ),
    ],
    reason: Annotated[
        str, typer.Option(parser=_reason, metavar="TEXT", help="For those who ask why.")
    ],
    account: Annotated[
        str | None, typer.Option(help="Name of the account; every account unless given.")
    ] = None,
) -> None:
    """Set the trading state. Returns when no order is on its way that it forbids to send."""
    from .trading.account_books import EVERYONE
    from .trading.risk.changing import change_state

    new: TradingState = state  # type: ignore[assignment]

    async def change(session: AsyncSession, database: Database) -> None:
        owner = EVERYONE if account is None else (await _account(session, account)).id
        await change_state(database.sessions, owner, new, reason, _ACTOR)

    _with_database(change)
    typer.echo(f"Trading of {account or _EVERY_ACCOUNT} is {new.value}.")


_ACTOR = "cli"
_EVERY_ACCOUNT = "every account"


def _second(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


# --- Limits --------------------------------------------------------------------------------------


@limit_commands.command("show")
def show_limits(account: Annotated[str, typer.Option(help="Name of the account.")]) -> None:
    """List an account's limits: name, value, and whether it is its own or a setting's."""
    from .trading.risk.limits import own_limits

    async def read(session: AsyncSession) -> OwnLimits:
        return await own_limits(session, (await _account(session, account)).id)

    _echo_limits(with_session(read))


@limit_commands.command("set")
def set_account_limits(
    changes: Annotated[
        list[Any],
        typer.Argument(
            parser=_limit,
            metavar="NAME=VALUE",
            help="Name as `limits show` has it. The value `default` has the setting hold again.",
        ),
    ],
    account: Annotated[str, typer.Option(help="Name of the account.")],
) -> None:
    """Give an account limits of its own; within 5 seconds each process knows them."""
    from .trading.risk.limits import set_limits

    async def change(session: AsyncSession) -> OwnLimits:
        owner = await _account(session, account)
        return await set_limits(session, owner.id, dict(changes), _ACTOR)

    _echo_limits(with_transaction(change))


def _echo_limits(own: OwnLimits) -> None:
    from .market.money import plain

    settings = get_settings().risk
    values = {name: (getattr(settings, name), f"RISK_{name.upper()}") for name in own}
    values |= {name: (value, "its own") for name, value in own.items() if value is not None}
    echo_table(*((name, plain(Decimal(value)), source) for name, (value, source) in values.items()))


cli.add_typer(backtest_commands, name="backtest")
# yours below


if __name__ == "__main__":
    cli()
