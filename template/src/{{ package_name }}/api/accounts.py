"""`/v1/accounts`"""

from uuid import UUID

from sqlalchemy import select

from ..core.api import ServiceRouter
from ..core.database.session import SessionDep
from ..core.errors import TradingException
from ..trading.balances import Balance
from ..trading.errors import TradingError
from .schemas import AccountOut, BalanceOut, Page
from .security import ReadAccount

router = ServiceRouter(prefix="/accounts", tags=["accounts"])


@router.get("", summary="The accounts this key may see")
async def list_(account: ReadAccount) -> Page[AccountOut]:
    return Page(items=[AccountOut.model_validate(account)])


@router.get("/{account_id}/balances", summary="Balances by currency")
async def balances(account_id: UUID, account: ReadAccount, session: SessionDep) -> Page[BalanceOut]:
    if account_id != account.id:
        raise TradingException(
            TradingError.ACCOUNT_NOT_FOUND,
            f"There is no account {account_id}",
            {"account_id": str(account_id)},
        )
    rows = await session.scalars(
        select(Balance).where(Balance.account_id == account_id).order_by(Balance.currency)
    )
    return Page(items=[BalanceOut.model_validate(row) for row in rows])
