"""Denying orders: storing what our own checks refuse, with the reason."""

from decimal import Decimal
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from ...core.database.transactions import Source, session_of, transactional
from ...core.errors import TradingException
from ...market.money import plain
from .. import events
from ..account_books import AccountBooks, lock_books
from ..balances import Balance, insufficient_balance
from ..codes import TradingErrorCode
from ..positions import Position
from ..risk.limits import Limits
from ..risk.state import TradingState, state_in_force
from ..wakes import wake_account
from .model import Order
from .place_statement import COLUMNS
from .states import OrderStatus


async def deny(
    source: Source,
    values: dict[str, Any],
    limits: Limits,
    unfit: TradingException | None,
    forbidden: TradingException | None,
) -> TradingException | None:
    """Store the order as denied, and return for what.

    `unfit`: it does not fit its instrument. `forbidden`: its figures are beyond a limit, which is
    no reason where it only reduces a position. None where there is no reason to deny it any more,
    or somebody else has stored it meanwhile.
    """
    async with session_of(source) as session:
        try:
            async with transactional(session):
                books = await lock_books(session, values["account_id"])
                refusal = unfit or await _refusal(session, books, values, limits, forbidden)
                if refusal is None:
                    return None
                await _store(session, values, refusal)
                wake_account(session, values["account_id"])
        except IntegrityError:
            return None
    return refusal


async def _refusal(
    session: AsyncSession,
    books: AccountBooks,
    values: dict[str, Any],
    limits: Limits,
    forbidden: TradingException | None,
) -> TradingException | None:
    in_force = await state_in_force(session, values["account_id"])
    state, reason = in_force.state, in_force.reason
    if state is TradingState.HALTED:
        return TradingException(
            TradingErrorCode.TRADING_HALTED, f"Trading is halted: {reason}", {"reason": reason}
        )
    key = (values["account_id"], values["symbol"])
    position = await session.get(Position, key, populate_existing=True)
    qty, buying, selling = (
        (position.qty, position.buying, position.selling) if position else (Decimal(0),) * 3
    )
    if not 0 < values["selling"] <= qty - selling:  # or else it only reduces the position
        if state is TradingState.REDUCING:
            return TradingException(
                TradingErrorCode.TRADING_STATE_REDUCING,
                f"Only orders that reduce a position are placed now: {reason}",
                {"reason": reason},
            )
        if forbidden is not None:
            return forbidden
        if refusal := await _beyond_limits(session, books, qty + buying, values, limits):
            return refusal
    if values["held"] is None:
        return forbidden
    balance = await session.get(
        Balance, (values["account_id"], values["held_currency"]), populate_existing=True
    )
    if balance is None or balance.available < values["held"]:
        return await insufficient_balance(
            session, values["account_id"], values["held_currency"], values["held"]
        )
    return None


async def _beyond_limits(
    session: AsyncSession,
    books: AccountBooks,
    position: Decimal,
    values: dict[str, Any],
    limits: Limits,
) -> TradingException | None:
    if books.open_orders >= limits.max_open_orders:
        return TradingException(
            TradingErrorCode.OPEN_ORDERS_EXCEED_MAX,
            f"The account has {books.open_orders} open orders (RISK_MAX_OPEN_ORDERS)",
            {"open_orders": books.open_orders, "max_open_orders": limits.max_open_orders},
        )
    if position + values["buying"] > limits.max_position:
        return TradingException(
            TradingErrorCode.POSITION_EXCEEDS_MAX,
            f"The position could become larger than {plain(limits.max_position)}"
            " (RISK_MAX_POSITION)",
            {
                "position": plain(position + values["buying"]),
                "max_position": plain(limits.max_position),
            },
        )
    second = await session.scalar(select(func.date_trunc("second", func.clock_timestamp())))
    placed = books.second_orders if books.second == second else 0
    if placed >= limits.max_orders_per_second:
        return TradingException(
            TradingErrorCode.RATE_LIMIT_EXCEEDED,
            f"The account has placed {placed} orders in this second (RISK_MAX_ORDERS_PER_SECOND)",
            {"max_orders_per_second": limits.max_orders_per_second},
        )
    return None


async def _store(session: AsyncSession, values: dict[str, Any], refusal: TradingException) -> None:
    row = {key: value for key, value in values.items() if key in COLUMNS}
    row |= {"status": OrderStatus.DENIED, "reason_code": str(refusal.code), "held": Decimal(0)}
    await session.execute(insert(Order).values(row))
    changed = {"status": OrderStatus.DENIED.value, "leaves_qty": "0"}
    data = values["data"] | changed | {"reason_code": str(refusal.code)}
    denied = events.NewEvent(events.EventType.ORDER, data, values["id"])
    await events.record(session, values["account_id"], denied)
