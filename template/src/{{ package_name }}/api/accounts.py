"""`/v1/accounts`"""

from uuid import UUID

from pydantic import ConfigDict

from ..core.api import ServiceRouter, errors
from ..core.database.session import SessionDep
from ..core.errors import TradingException
from ..market.money import Amount
from ..trading import balances
from ..trading.accounts import AccountMode
from ..trading.codes import TradingErrorCode
from .page import FromRow, Page, example
from .security import ReadAccount

router = ServiceRouter(prefix="/accounts", tags=["accounts"])


class Account(FromRow):
    """Account that orders are placed for."""

    model_config = ConfigDict(
        json_schema_extra=example(
            id="019ab0c4-5e6f-7a10-8b2c-3d4e5f607182", name="demo", mode="paper"
        )
    )

    id: UUID
    name: str
    mode: AccountMode


class Balance(FromRow):
    """Money of an account in one currency. Open orders hold what they may need."""

    model_config = ConfigDict(
        json_schema_extra=example(currency="USDT", available="99500", held="500", total="100000")
    )

    currency: str
    available: Amount
    held: Amount
    total: Amount


class BalancePage(Page[Balance]):
    """Balances of an account, by currency."""


class AccountPage(Page[Account]):
    """Part of the list of accounts."""


@router.get("", summary="List the accounts this key may see")
async def list_accounts(account: ReadAccount) -> AccountPage:
    return AccountPage(items=[Account.model_validate(account)])


@router.get(
    "/{account_id}/balances",
    summary="List an account's balances by currency",
    responses=errors(TradingErrorCode.ACCOUNT_NOT_FOUND),
)
async def list_balances(account_id: UUID, account: ReadAccount, session: SessionDep) -> BalancePage:
    if account_id != account.id:
        raise TradingException(
            TradingErrorCode.ACCOUNT_NOT_FOUND,
            f"There is no account {account_id}",
            {"account_id": str(account_id)},
        )
    rows = await balances.list_balances(session, account_id)
    return BalancePage(items=[Balance.model_validate(row) for row in rows])
