"""Notes that people write to an account."""

from uuid import UUID

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ..core.database.tables import Base, new_id


class Note(Base):
    """A table of notes, of which an account has any number."""

    __tablename__ = "notes"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    text: Mapped[str] = mapped_column(String(200))


async def write_note(session: AsyncSession, account_id: UUID, text: str) -> None:
    session.add(Note(account_id=account_id, text=text))
    await session.flush()


async def list_notes(session: AsyncSession, account_id: UUID) -> list[str]:
    """Return the account's notes, oldest first."""
    query = select(Note.text).where(Note.account_id == account_id).order_by(Note.id)
    return list(await session.scalars(query))
