"""The things that a newcomer trades with: a paper account with money, two instruments."""

from decimal import Decimal

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ..core.config import Settings
from ..core.database.session import Database
from ..core.database.transactions import transactional
from ..market.instruments import Instrument
from .account_books import open_books
from .accounts import Account, get_account
from .api_keys import Scope, create_api_key, find_api_key
from .balances import list_balances
from .ledger import Bucket, Entry, EntryKind, post

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


async def seed_demo(session: AsyncSession) -> Account:
    """Create what is missing, and return the account. What is there is left as it is."""
    async with transactional(session):
        await session.execute(insert(Instrument).values(INSTRUMENTS).on_conflict_do_nothing())
        await session.execute(
            insert(Account).values(name=ACCOUNT).on_conflict_do_nothing(index_elements=["name"])
        )
        account = await get_account(session, ACCOUNT)
        if not await list_balances(session, account.id):
            await open_books(session, account.id)
            for currency, amount in BALANCES.items():
                entries = (
                    Entry(Bucket.AVAILABLE, currency, amount),
                    Entry(Bucket.EXTERNAL, currency, -amount),
                )
                await post(session, account.id, EntryKind.DEPOSIT, entries)
        return account


async def demo_key(settings: Settings, known: str) -> str:
    """Seed the demo account and return a key for it, with all scopes: `known` if that is one."""
    database = Database(settings)
    try:
        async with database.sessions() as session, transactional(session):
            account = await seed_demo(session)
            if await find_api_key(session, known):
                return known
            return await create_api_key(session, account, set(Scope))
    finally:
        await database.close()
