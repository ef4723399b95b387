"""Looking up strategies, and what they have done."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from ...core.errors import TradingException
from ...trading.fills import Fill, existing_fill
from ...trading.orders.model import Order
from ...trading.orders.queries import get_order
from .codes import StrategyErrorCode
from .model import Instance, ParamsVersion, StrategyNote


async def get_instance(
    session: AsyncSession, account_id: UUID, strategy_id: UUID, *, lock: bool = False
) -> Instance:
    """Return the account's strategy, locked if asked for.

    Raises TradingException STRATEGY_NOT_FOUND, also for a strategy of another account.
    """
    query = select(Instance).where(Instance.account_id == account_id, Instance.id == strategy_id)
    instance = await session.scalar(
        query.with_for_update() if lock else query, execution_options={"populate_existing": True}
    )
    if instance is None:
        raise TradingException(
            StrategyErrorCode.STRATEGY_NOT_FOUND,
            f"There is no strategy {strategy_id}",
            {"strategy_id": str(strategy_id)},
        )
    return instance


async def list_instances(
    session: AsyncSession, account_id: UUID, *, after: str | None = None, limit: int
) -> list[Instance]:
    """Return at most `limit` strategies of the account by name, from after the name `after`."""
    query = select(Instance).where(Instance.account_id == account_id)
    if after is not None:
        query = query.where(Instance.name > after)
    return list(await session.scalars(query.order_by(Instance.name).limit(limit)))


async def list_params(
    session: AsyncSession, instance: Instance, *, after: int | None = None, limit: int
) -> list[ParamsVersion]:
    """Return at most `limit` versions of its settings, newest first, from before `after`."""
    query = select(ParamsVersion).where(*_of(ParamsVersion, instance))
    if after is not None:
        query = query.where(ParamsVersion.version < after)
    return list(await session.scalars(query.order_by(ParamsVersion.version.desc()).limit(limit)))


async def list_notes(
    session: AsyncSession,
    instance: Instance,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int,
) -> list[StrategyNote]:
    """Return at most `limit` notes, newest first: those before number `before`.

    With `after`, those after that number, oldest first.
    """
    query = select(StrategyNote).where(*_of(StrategyNote, instance)).limit(limit)
    if after is not None:
        query = query.where(StrategyNote.n > after).order_by(StrategyNote.n)
    else:
        if before is not None:
            query = query.where(StrategyNote.n < before)
        query = query.order_by(StrategyNote.n.desc())
    return list(await session.scalars(query))


async def list_orders_of(
    session: AsyncSession, instance: Instance, *, after: UUID | None = None, limit: int
) -> list[Order]:
    """Return at most `limit` orders of the strategy, newest first, from after order `after`."""
    query = select(Order).where(
        Order.account_id == instance.account_id, Order.strategy_id == instance.id
    )
    if after is not None:
        last = await get_order(session, instance.account_id, after)
        query = query.where(tuple_(Order.created_at, Order.id) < (last.created_at, last.id))
    query = query.order_by(Order.created_at.desc(), Order.id.desc()).limit(limit)
    return list(await session.scalars(query))


async def list_fills_of(
    session: AsyncSession,
    instance: Instance,
    *,
    since: datetime | None = None,
    after: UUID | None = None,
    limit: int | None = None,
    oldest_first: bool = False,
) -> list[tuple[Fill, Order]]:
    """Return fills of the strategy with their orders, newest first unless asked otherwise.

    They begin with the one that follows fill `after`. Raises TradingException FILL_NOT_FOUND if
    that is no fill of the account.
    """
    query = (
        select(Fill, Order)
        .join(Order, (Order.account_id == Fill.account_id) & (Order.id == Fill.order_id))
        .where(
            Fill.account_id == instance.account_id,
            Order.strategy_id == instance.id,
            Fill.flag.is_(None),
        )
    )
    if since is not None:
        query = query.where(Fill.created_at >= since)
    if after is not None:
        last = await existing_fill(session, instance.account_id, after)
        query = query.where(tuple_(Fill.created_at, Fill.id) < (last.created_at, last.id))
    order = (Fill.created_at, Fill.id)
    if not oldest_first:
        order = (order[0].desc(), order[1].desc())  # type: ignore[assignment]  # as good
    rows = await session.execute(query.order_by(*order).limit(limit))
    return [(row[0], row[1]) for row in rows]


def _of(table: Any, instance: Instance) -> tuple[Any, Any]:
    return table.account_id == instance.account_id, table.strategy_id == instance.id
