"""The outbox: what is to be sent, stored together with what it tells of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import ForeignKey, String, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ..core.api.resources import Resources
from ..core.database.tables import Base, new_id


class Message(Base):
    """A table of messages that wait to be sent."""

    __tablename__ = "outbox_messages"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    body: Mapped[str] = mapped_column(String(2000))


class Dispatcher:
    """Sends what waits in the outbox."""

    def __init__(self) -> None:
        self.rounds = 0


@asynccontextmanager
async def open_dispatcher(_resources: Resources) -> AsyncIterator[Dispatcher]:
    """Open the dispatcher while the service runs."""
    yield Dispatcher()


async def dispatch(resources: Resources) -> None:
    """Send what waits."""
    resources[open_dispatcher].rounds += 1


async def count_messages(session: AsyncSession) -> int:
    """Return how many messages wait."""
    return await session.scalar(select(func.count()).select_from(Message)) or 0
