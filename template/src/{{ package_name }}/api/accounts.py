"""`/v1/accounts`"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, Field

from ..core.api import ServiceRouter, errors
from ..core.database.session import ReadingSessionDep, SessionDep
from ..core.database.transactions import transactional
from ..core.errors import TradingException
from ..market.money import Amount, Currency, PositiveAmount, SignedAmount
from ..trading import accounts, balances, deposits, ledger
from ..trading.accounts import AccountMode
from ..trading.codes import TradingErrorCode
from ..trading.deposits import DepositStatus
from ..trading.ledger import Bucket, EntryKind
from .page import FromRow, Page, example
from .security import AdminAccount, ReadAccount
from .trading import TradingDep

SETTLE_SECONDS = 2.0
"""For so long the answer to a deposit waits for the exchange."""

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


class NewAccount(BaseModel):
    """Account to create. It has no money yet."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=example(name="fund1", mode="paper"))

    name: accounts.AccountName
    mode: AccountMode = AccountMode.PAPER


class Balance(FromRow):
    """Money of an account in one currency. Open orders hold what they may need."""

    model_config = ConfigDict(
        json_schema_extra=example(currency="USDT", available="99500", held="500", total="100000")
    )

    currency: str
    available: Amount
    held: Amount
    total: Amount


_DEPOSIT = {"currency": "USDT", "amount": "100000", "client_deposit_id": "d1"}


class NewDeposit(BaseModel):
    """Deposit to book."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=example(**_DEPOSIT))

    currency: Currency
    amount: PositiveAmount
    client_deposit_id: deposits.ClientDepositId = Field(
        description="Your own name for the deposit. Sent again with the same one it does no harm."
    )


class Deposit(FromRow):
    """Deposit as it is: `pending` until the exchange has confirmed it, then in the balance."""

    model_config = ConfigDict(
        json_schema_extra=example(
            id="019ab0c4-6f70-7b21-9c3d-4e5f60718293",
            account_id="019ab0c4-5e6f-7a10-8b2c-3d4e5f607182",
            **_DEPOSIT,
            status="booked",
            created_at="2026-11-25T09:30:00Z",
        )
    )

    id: UUID
    account_id: UUID
    currency: str
    amount: Amount
    client_deposit_id: str
    status: DepositStatus
    created_at: datetime


class BalancePage(Page[Balance]):
    """Balances of an account, by currency."""


class LedgerEntry(FromRow):
    """Movement of money into a bucket; negative: out of it."""

    model_config = ConfigDict(
        json_schema_extra=example(bucket="available", currency="USDT", amount="100000")
    )

    bucket: Bucket
    currency: str
    amount: SignedAmount


class LedgerTransaction(FromRow):
    """Movements that belong together, and sum to zero in each currency."""

    model_config = ConfigDict(
        json_schema_extra=example(
            id="019ab0c4-7081-7c32-8d4e-5f6071829304",
            kind="deposit",
            order_id=None,
            fill_id=None,
            deposit_id="019ab0c4-6f70-7b21-9c3d-4e5f60718293",
            created_at="2026-11-25T09:30:00Z",
            entries=[
                {"bucket": "external", "currency": "USDT", "amount": "-100000"},
                {"bucket": "available", "currency": "USDT", "amount": "100000"},
            ],
        )
    )

    id: UUID
    kind: EntryKind
    order_id: UUID | None
    fill_id: UUID | None
    deposit_id: UUID | None
    created_at: datetime
    entries: list[LedgerEntry]


class LedgerPage(Page[LedgerTransaction]):
    """Part of an account's ledger, newest first."""


class AccountPage(Page[Account]):
    """Part of the list of accounts."""


@router.get("", summary="List the accounts this key may see")
async def list_accounts(account: ReadAccount) -> AccountPage:
    return AccountPage(items=[Account.model_validate(account)])


@router.post(
    "",
    status_code=201,
    summary="Create an account; needs the scope `admin`",
    responses=errors(TradingErrorCode.ACCOUNT_EXISTS),
)
async def create_account(new: NewAccount, _account: AdminAccount, session: SessionDep) -> Account:
    async with transactional(session) as tx:
        created = await accounts.create_account(tx, new.name, new.mode)
    return Account.model_validate(created)


@router.post(
    "/{account_id}/deposits",
    status_code=201,
    summary="Deposit money into a paper account; needs the scope `admin`",
    responses={
        200: {"model": Deposit, "description": "The same deposit was asked for before"},
        202: {"model": Deposit, "description": "The exchange has not confirmed it yet"},
        **errors(
            TradingErrorCode.ACCOUNT_NOT_FOUND,
            TradingErrorCode.CLIENT_DEPOSIT_ID_REUSED,
            TradingErrorCode.BALANCE_ABOVE_MAXIMUM,
        ),
    },
)
async def book_deposit(
    account_id: UUID,
    new: NewDeposit,
    _account: AdminAccount,
    session: SessionDep,
    trading: TradingDep,
    response: Response,
) -> Deposit:
    async with transactional(session, retry_on_deadlock=True) as tx:
        account = await accounts.get_account_by_id(tx, account_id)
        request = deposits.DepositRequest(**dict(new))
        deposit, is_new = await deposits.request_deposit(tx, account.id, request)
    if deposit.status is DepositStatus.PENDING:
        await trading.dispatcher.send_deposit_now(deposit.id)
        # Another replica may have taken it first, and be about to book it.
        deposit = await deposits.until_booked(session, account_id, deposit.id, SETTLE_SECONDS)
    if deposit.status is DepositStatus.PENDING:
        response.status_code = 202
    elif not is_new:
        response.status_code = 200
    return Deposit.model_validate(deposit)


@router.get(
    "/{account_id}/balances",
    summary="List an account's balances by currency",
    responses=errors(TradingErrorCode.ACCOUNT_NOT_FOUND),
)
async def list_balances(
    account_id: UUID, account: ReadAccount, session: ReadingSessionDep
) -> BalancePage:
    _check_own(account_id, account.id)
    rows = await balances.list_balances(session, account_id)
    return BalancePage(items=[Balance.model_validate(row) for row in rows])


@router.get(
    "/{account_id}/ledger",
    summary="List what has moved an account's money, newest first",
    responses=errors(TradingErrorCode.ACCOUNT_NOT_FOUND),
)
async def list_ledger(
    account_id: UUID,
    account: ReadAccount,
    session: ReadingSessionDep,
    after: Annotated[UUID | None, Query(description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> LedgerPage:
    _check_own(account_id, account.id)
    rows = await ledger.list_transactions(session, account_id, after=after, limit=limit + 1)
    page = [LedgerTransaction.model_validate(row) for row in rows[:limit]]
    return LedgerPage(items=page, next_cursor=str(page[-1].id) if len(rows) > limit else None)


def _check_own(account_id: UUID, own_id: UUID) -> None:
    """Raise TradingException ACCOUNT_NOT_FOUND for any account but the caller's own."""
    if account_id != own_id:
        raise TradingException(
            TradingErrorCode.ACCOUNT_NOT_FOUND,
            f"There is no account {account_id}",
            {"account_id": str(account_id)},
        )
