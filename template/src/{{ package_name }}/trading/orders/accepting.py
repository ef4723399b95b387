"""The statement that notes that the exchange has taken an order, which mostly is all that happens.

As one message and a transaction by itself, it costs less than its parts, one after another.
"""

from sqlalchemy import Uuid, delete, insert, literal_column, select, update

from ...core.database.tables import given
from ...core.database.transactions import Prepared, Source, execute_single
from ..account_books import AccountBooks
from ..events import AccountEvent, EventType
from ..outbox import Command
from ..wakes import wake_account
from .events import order_event
from .model import Order
from .states import OrderStatus

_account_id = given("account_id", Uuid())
_order_id = given("order_id", Uuid())
_venue_order_id = given("venue_order_id", Order.venue_order_id.type)

_books = (
    select(AccountBooks.account_id)
    .where(AccountBooks.account_id == _account_id)
    .with_for_update()
    .cte("books")
)
_accepted = (
    update(Order)
    .where(
        Order.account_id == _books.c.account_id,
        Order.id == _order_id,
        Order.status == literal_column(f"'{OrderStatus.PENDING_NEW}'"),
    )
    .values(status=literal_column(f"'{OrderStatus.NEW}'"), venue_order_id=_venue_order_id)
    .returning(Order.account_id)
    .cte("accepted")
)
_counted = (
    update(AccountBooks)
    .where(AccountBooks.account_id == _accepted.c.account_id)
    .values(last_seq=AccountBooks.last_seq + literal_column("1"))
    .returning(AccountBooks.account_id, AccountBooks.last_seq)
    .cte("counted")
)
_noted = (
    insert(AccountEvent.__table__)  # type: ignore[arg-type]  # it is a table
    .from_select(
        ["account_id", "seq", "type", "order_id", "data"],
        select(
            _counted.c.account_id,
            _counted.c.last_seq,
            literal_column(f"'{EventType.ORDER}'"),
            _order_id,
            given("data", AccountEvent.data.type),
        ),
        include_defaults=False,
    )
    .cte("noted")
)
_removed = (
    delete(Command)
    .where(Command.account_id == _accepted.c.account_id, Command.id == given("command_id", Uuid()))
    .cte("removed")
)
_ACCEPT = Prepared(select(_accepted.c.account_id).add_cte(_noted, _removed))


async def accept_first(source: Source, command: Command, order: Order, venue_order_id: str) -> bool:
    """Note that the exchange has taken the order, and remove the command; tell whether it did so.

    Only where that is the first that has happened to the order: it does nothing for another one.
    """
    if order.status is not OrderStatus.PENDING_NEW:
        return False
    values = {
        "account_id": order.account_id,
        "order_id": order.id,
        "venue_order_id": venue_order_id,
        "command_id": command.id,
        "data": order_event(order) | {"status": OrderStatus.NEW, "venue_order_id": venue_order_id},
    }
    rows = await execute_single(
        source, _ACCEPT, {f"given_{name}": value for name, value in values.items()}
    )
    if rows:
        wake_account(source, order.account_id)
    return bool(rows)
