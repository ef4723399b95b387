"""The books of an account: the row that everything which moves its money locks first.

So whatever happens to an account happens one after another, without deadlocks, and its events
have numbers without gaps. After it come, in this order: the order, balances sorted by currency,
the position, the outbox.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ..core.database.tables import Base

EVERYONE = UUID(int=0)
"""In the place of an account's id: the whole service."""


class AccountBooks(Base):
    """A table of what is counted for each account.

    `last_seq` numbers its events, `open_orders` are its orders that may still be filled, and
    `second_orders` were placed in the second `second`.
    """

    __tablename__ = "account_books"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    last_seq: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    open_orders: Mapped[int] = mapped_column(default=0, server_default="0")
    second: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    second_orders: Mapped[int] = mapped_column(default=0, server_default="0")


# Like others that each order takes, made once: making it anew costs more than running it.
_LOCK = (
    select(AccountBooks)
    .where(AccountBooks.account_id == bindparam("account_id"))
    .with_for_update()
    .execution_options(populate_existing=True)
)


async def lock_books(session: AsyncSession, account_id: UUID) -> AccountBooks:
    """Lock the account's books until the transaction ends, and return them as they are now."""
    books = await session.scalar(_LOCK, {"account_id": account_id})
    assert books is not None, f"account {account_id} has no books"
    return books


async def open_books(session: AsyncSession, account_id: UUID) -> None:
    """Make the books of a new account."""
    await session.execute(
        insert(AccountBooks).values(account_id=account_id).on_conflict_do_nothing()
    )
