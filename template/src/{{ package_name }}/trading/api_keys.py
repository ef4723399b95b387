"""API keys: who may act for an account, and how far."""

import hashlib
import secrets
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, LargeBinary, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from ..core.database.session import Database
from ..core.database.tables import Base, new_id, some_of, words
from ..core.errors import TradingException
from . import audit
from .accounts import Account
from .codes import TradingErrorCode


class Scope(StrEnum):
    """Rights that an API key has. No scope includes another.

    READ and TRADE are rights on the key's own account. ADMIN is a right on the whole service,
    whichever account its key is for: it makes accounts, books deposits, and sees `/status`.
    """

    READ = "read"
    TRADE = "trade"
    ADMIN = "admin"


class ApiKey(Base):
    """A table of keys. Only a key's hash is stored: the key itself can't be read back."""

    __tablename__ = "api_keys"
    __table_args__ = (some_of("scopes", Scope),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    key_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    scopes: Mapped[list[Scope]] = mapped_column(ARRAY(words(Scope, 8)))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    account: Mapped[Account] = relationship()


def _hash(key: str) -> bytes:
    # A key has 256 random bits, so that a plain hash can't be searched through.
    return hashlib.sha256(key.encode()).digest()


async def create_api_key(
    session: AsyncSession,
    account: Account,
    scopes: set[Scope],
    *,
    cell: str = "a",
    actor: str = "cli",
) -> str:
    """Store a new key for `account` and return it: this is the only time it can be seen.

    It begins with `sk_<cell>_`, so that a load balancer can tell where to send its requests once
    there are several databases (cells), each with a part of the accounts. The audit has it as
    made by `actor`, without the key.
    """
    key = f"sk_{cell}_{secrets.token_urlsafe(32)}"
    row = ApiKey(account=account, key_hash=_hash(key), scopes=sorted(scopes))
    session.add(row)
    await session.flush()
    await audit.note(
        session,
        account_id=account.id,
        actor=actor,
        action="api_key.create",
        before=None,
        after=_words(row),
    )
    return key


async def find_api_key(session: AsyncSession, key: str) -> ApiKey | None:
    """Return the key with its account, or None where it is unknown or revoked."""
    return await session.scalar(_BY_HASH, {"key_hash": _hash(key)})


_BY_HASH = (
    select(ApiKey)
    .where(ApiKey.key_hash == bindparam("key_hash"), ApiKey.revoked_at.is_(None))
    .options(joinedload(ApiKey.account))
)


async def known_api_key(database: Database, key: str, seconds: float) -> ApiKey | None:
    """Return the key with its account as it was at most `seconds` ago, in this process.

    None where it is unknown or revoked: one that is revoked meanwhile is accepted until then.
    """

    async def read() -> ApiKey | None:
        async with database.reading_sessions() as session:
            return await find_api_key(session, key)

    return await database.memo.read(("api key", _hash(key)), seconds, read)


async def list_api_keys(session: AsyncSession) -> list[ApiKey]:
    """Return every key with its account, oldest first, those that were revoked included."""
    query = select(ApiKey).order_by(ApiKey.created_at).options(joinedload(ApiKey.account))
    return list(await session.scalars(query))


async def revoke_api_key(session: AsyncSession, key_id: UUID, *, actor: str = "cli") -> None:
    """Make the key unknown from now on. Raises TradingException API_KEY_NOT_FOUND.

    The audit has it as done by `actor`, once.
    """
    key = await session.get(ApiKey, key_id)
    if key is None:
        raise TradingException(
            TradingErrorCode.API_KEY_NOT_FOUND, f"There is no API key {key_id}", {"id": str(key_id)}
        )
    if key.revoked_at is not None:
        return
    before = _words(key)
    key.revoked_at = datetime.now(UTC)
    await session.flush()
    await audit.note(
        session,
        account_id=key.account_id,
        actor=actor,
        action="api_key.revoke",
        before=before,
        after=_words(key),
    )


def _words(key: ApiKey) -> dict[str, Any]:
    scopes = [scope.value for scope in key.scopes]
    return {"id": str(key.id), "scopes": scopes, "active": key.revoked_at is None}
