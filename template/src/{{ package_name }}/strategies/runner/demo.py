"""Strategies that a newcomer sees trade: one of each kind, with money that nobody paid in."""

from decimal import Decimal
from typing import Any

import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ...core.config import Settings
from ...core.database.session import Database
from ...core.database.transactions import transactional
from ...core.errors import TradingException
from ...exchanges.client import ExchangeClient
from ...exchanges.factory import open_exchange
from ...market.candles import Timeframe
from ...trading.account_books import open_books
from ...trading.accounts import Account, get_account
from ...trading.balances import list_balances
from ...trading.deposits import DepositRequest, deposit_now
from ..finding import find_kinds
from ..strategy import Strategy
from . import life, managing
from .managing import Rules, StrategyRequest
from .queries import list_instances

SYMBOL = "BTC-USDT"
MONEY = Decimal(100_000)
_ACTOR = "dev"

_log = structlog.get_logger(__name__)


async def start_demo_strategies(settings: Settings) -> list[str]:
    """Have each kind trade for a paper account of its own; return the names of those accounts.

    The account has the name of the kind. One that has a strategy already, whatever has become of
    it, is left as it is. Call it after the demo account's instruments are there.
    """
    rules = managing.rules_of(settings)
    database = Database(settings)
    try:
        exchange = open_exchange(settings, database).client
        async with database.sessions() as session:
            for kind, strategy in find_kinds().items():
                account = await _account(session, exchange, kind)
                if not await list_instances(session, account.id, limit=1):
                    await _start(session, exchange, account, kind, strategy, rules)
    finally:
        await database.close()
    return list(find_kinds())


async def _account(session: AsyncSession, exchange: ExchangeClient, name: str) -> Account:
    async with transactional(session):
        await session.execute(
            insert(Account).values(name=name).on_conflict_do_nothing(index_elements=["name"])
        )
        account = await get_account(session, name)
        await open_books(session, account.id)
    if not await list_balances(session, account.id):
        money = DepositRequest("dev-USDT", "USDT", MONEY)
        await deposit_now(session, exchange, account.id, money)
    return account


async def _start(
    session: AsyncSession,
    exchange: ExchangeClient,
    account: Account,
    kind: str,
    strategy: Strategy[Any, Any],
    rules: Rules,
) -> None:
    quote = await exchange.quote(SYMBOL)
    if quote is None or quote.bid is None:
        return
    params = strategy.example(quote.bid)
    request = StrategyRequest(kind, f"{kind}-demo", SYMBOL, Timeframe.M1, params)
    try:
        async with transactional(session):
            instance = await managing.create_strategy(
                session, account.id, request, quote.bid, rules, _ACTOR
            )
            await life.start(session, account.id, instance.id, _ACTOR)
    except TradingException as refusal:
        _log.warning("no demo of this kind of strategy", kind=kind, reason=str(refusal))
