"""What a newcomer trades with: a paper account with money, and two instruments."""

from decimal import Decimal

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ..core.database.transactions import transactional
from .accounts import Account, get_account
from .balances import Balance
from .instruments import Instrument

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
    """Create what is missing. What is there is left as it is, so that balances survive."""
    async with transactional(session):
        await session.execute(insert(Instrument).values(INSTRUMENTS).on_conflict_do_nothing())
        await session.execute(
            insert(Account).values(name=ACCOUNT).on_conflict_do_nothing(index_elements=["name"])
        )
        account = await get_account(session, ACCOUNT)
        balances = [
            {"account_id": account.id, "currency": currency, "available": amount}
            for currency, amount in BALANCES.items()
        ]
        await session.execute(insert(Balance).values(balances).on_conflict_do_nothing())
        return account
