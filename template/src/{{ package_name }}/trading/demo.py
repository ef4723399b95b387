"""The things that a newcomer trades with: a paper account with money, two instruments."""

from decimal import Decimal

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ..core.config import Settings
from ..core.database.session import Database
from ..core.database.transactions import transactional
from ..exchanges.client import ExchangeClient
from ..exchanges.factory import open_exchange
from ..market.instruments import Instrument
from .account_books import open_books
from .accounts import Account, get_account
from .api_keys import Scope, create_api_key, find_api_key
from .balances import list_balances
from .deposits import DepositRequest, deposit_now

ACCOUNT = "demo"
BALANCES = {"USDT": Decimal(100_000), "BTC": Decimal(2)}
INSTRUMENTS = [
    {
        "symbol": "BTC-USDT",
        "base_currency": "BTC",
        "quote_currency": "USDT",
        "price_increment": Decimal("0.01"),
        "size_increment": Decimal("0.00001"),
        "min_notional": Decimal(1),
    },
    {
        "symbol": "ETH-USDT",
        "base_currency": "ETH",
        "quote_currency": "USDT",
        "price_increment": Decimal("0.01"),
        "size_increment": Decimal("0.0001"),
        "min_notional": Decimal(1),
    },
]


async def seed_demo(session: AsyncSession, exchange: ExchangeClient) -> Account:
    """Create what is missing, and return the account. What is there is left as it is.

    The money comes as deposits do, so that the exchange has it too.
    """
    async with transactional(session, durable=True):
        await session.execute(insert(Instrument).values(INSTRUMENTS).on_conflict_do_nothing())
        await session.execute(
            insert(Account).values(name=ACCOUNT).on_conflict_do_nothing(index_elements=["name"])
        )
        account = await get_account(session, ACCOUNT)
        await open_books(session, account.id)
    there = {balance.currency for balance in await list_balances(session, account.id)}
    for currency, amount in BALANCES.items():
        if currency not in there:
            request = DepositRequest(f"demo-{currency}", currency, amount)
            await deposit_now(session, exchange, account.id, request)
    return account


async def demo_key(settings: Settings, known: str) -> str:
    """Seed the demo account and return a key for it, with all scopes: `known` if that is one."""
    database = Database(settings)
    try:
        async with database.sessions() as session:
            account = await seed_demo(session, open_exchange(settings, database).client)
            if await find_api_key(session, known):
                return known
            async with transactional(session):
                return await create_api_key(session, account, set(Scope))
    finally:
        await database.close()


def first_steps(address: str, key: str) -> list[str]:
    """Return commands for a terminal: an order at market, what it has made, all that happens."""
    order = (
        '{"client_order_id": "a1", "symbol": "BTC-USDT", "side": "buy", "type": "market",'
        ' "qty": "0.01"}'
    )
    json = '-H "Content-Type: application/json"'
    return [
        f'AUTH="Authorization: Bearer {key}"',
        f"curl -s {address}/v1/orders -H \"$AUTH\" {json} -d '{order}'",
        f'curl -s {address}/v1/positions -H "$AUTH"',
        f'curl -sN {address}/v1/stream -H "$AUTH" -H "Last-Event-ID: 0"  # Ctrl-C ends it',
    ]
