"""`/v1/accounts`"""

from uuid import UUID

from ..core.api import ServiceRouter
from ..core.database.session import SessionDep
from ..core.errors import TradingException
from ..market.money import Amount
from ..trading.accounts import AccountMode
from ..trading.balances import list_balances
from ..trading.codes import TradingErrorCode
from .page import FromRow, Page
from .security import ReadAccount

router = ServiceRouter(prefix="/accounts", tags=["accounts"])


class AccountOut(FromRow):
    id: UUID
    name: str
    mode: AccountMode


class BalanceOut(FromRow):
    currency: str
    available: Amount
    held: Amount
    total: Amount


@router.get("", summary="The accounts this key may see")
async def list_(account: ReadAccount) -> Page[AccountOut]:
    return Page(items=[AccountOut.model_validate(account)])


@router.get("/{account_id}/balances", summary="Balances by currency")
async def balances(account_id: UUID, account: ReadAccount, session: SessionDep) -> Page[BalanceOut]:
    if account_id != account.id:
        raise TradingException(
            TradingErrorCode.ACCOUNT_NOT_FOUND,
            f"There is no account {account_id}",
            {"account_id": str(account_id)},
        )
    rows = await list_balances(session, account_id)
    return Page(items=[BalanceOut.model_validate(row) for row in rows])
