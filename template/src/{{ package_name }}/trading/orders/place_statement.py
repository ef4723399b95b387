"""The statement that places an order: checks, hold, order, ledger, outbox and event, or nothing.

One statement is one message to the server and a transaction by itself, so that it costs less than
half of what its parts would, one after another.
"""

from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    Integer,
    Numeric,
    Table,
    Uuid,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeEngine

from ..account_books import EVERYONE, AccountBooks
from ..balances import Balance
from ..events import AccountEvent, EventType
from ..ledger import Bucket, EntryKind, LedgerEntry
from ..outbox import Command, CommandKind
from ..positions import Position
from ..risk.state import TradingState, TradingStateRow
from .model import Order
from .states import OrderStatus


def _given(name: str, type_: TypeEngine[Any]) -> BindParameter[Any]:
    # A parameter with the name of a column would be a value for it, in whatever table.
    return bindparam(f"given_{name}", type_=type_)


def _new(column: InstrumentedAttribute[Any]) -> BindParameter[Any]:
    return _given(column.key, column.type)


_AMOUNT = cast("Numeric[Any]", Order.qty.type)
_account_id, _symbol, _held = _new(Order.account_id), _new(Order.symbol), _new(Order.held)
_buying, _selling = _new(Position.buying), _new(Position.selling)

# Both are locked before anything is decided, so that nobody changes them meanwhile.
_books = (
    select(AccountBooks.account_id, AccountBooks.open_orders)
    .add_columns(AccountBooks.second, AccountBooks.second_orders)
    .where(AccountBooks.account_id == _account_id)
    .with_for_update()
    .cte("books")
)
_position = (
    select(Position.qty, Position.buying, Position.selling)
    .join(_books, Position.account_id == _books.c.account_id)
    .where(Position.symbol == _symbol)
    .with_for_update(of=Position)
    .cte("position")
)


def _is_set(state: TradingState) -> Any:
    scope = TradingStateRow.account_id.in_([_account_id, literal(EVERYONE, Uuid())])
    return exists().where(scope, TradingStateRow.state == state)


_this_second = func.date_trunc("second", func.clock_timestamp())
_qty_after = func.coalesce(_position.c.qty, 0)
_within_limits = and_(
    _given("is_within_limits", Order.post_only.type),
    ~_is_set(TradingState.REDUCING),
    _books.c.open_orders < _given("max_open_orders", Integer()),
    case((_books.c.second == _this_second, _books.c.second_orders), else_=0)
    < _given("max_orders_per_second", Integer()),
    _qty_after + func.coalesce(_position.c.buying, 0) + _buying <= _given("max_position", _AMOUNT),
)
_only_reduces = and_(_selling > 0, _qty_after - func.coalesce(_position.c.selling, 0) >= _selling)
_allowed = (
    select(_books.c.account_id)
    .select_from(_books.outerjoin(_position, literal(True)))
    .where(
        # Of two at the same time neither sees the other: the unique key is what guards.
        ~exists().where(
            Order.account_id == _account_id, Order.client_order_id == _new(Order.client_order_id)
        ),
        ~_is_set(TradingState.HALTED),
        or_(_within_limits, _only_reduces),
    )
    .cte("allowed")
)
_paid = (
    update(Balance)
    .where(
        Balance.account_id == _allowed.c.account_id,
        Balance.currency == _new(Order.held_currency),
        Balance.available >= _held,
    )
    .values(available=Balance.available - _held, held=Balance.held + _held)
    .returning(Balance.account_id)
    .cte("paid")
)
_counted = (
    update(AccountBooks)
    .where(AccountBooks.account_id == _paid.c.account_id)
    .values(
        last_seq=AccountBooks.last_seq + 1,
        open_orders=AccountBooks.open_orders + 1,
        second=_this_second,
        second_orders=case(
            (AccountBooks.second == _this_second, AccountBooks.second_orders + 1), else_=1
        ),
    )
    .returning(AccountBooks.last_seq)
    .cte("counted")
)


def _insert(into: type, source: Any, cells: dict[InstrumentedAttribute[Any], Any]) -> Any:
    """Return the INSERT into a table of a row for each row of `source`."""
    rows = select(*cells.values()).select_from(source)
    table = cast(Table, into.__table__)  # type: ignore[attr-defined]
    names = [column.key for column in cells]
    return insert(table).from_select(names, rows, include_defaults=False)


_row = upsert(Position).from_select(
    ["account_id", "symbol", "buying", "selling"],
    select(_paid.c.account_id, _symbol, _buying, _selling),
    include_defaults=False,
)
_counted_in_position = _row.on_conflict_do_update(
    index_elements=["account_id", "symbol"],
    set_={
        "buying": Position.buying + _row.excluded.buying,
        "selling": Position.selling + _row.excluded.selling,
    },
).cte("counted_in_position")


def _entry(n: int, bucket: Bucket, amount: Any) -> Any:
    return select(
        _paid.c.account_id,
        _new(LedgerEntry.transaction_id),
        literal(n, LedgerEntry.n.type),
        literal(EntryKind.PENDING, LedgerEntry.kind.type),
        literal(bucket, LedgerEntry.bucket.type),
        _new(Order.held_currency),
        amount,
        _new(Order.id),
    )


_entered = (
    insert(cast(Table, LedgerEntry.__table__))
    .from_select(
        ["account_id", "transaction_id", "n", "kind", "bucket", "currency", "amount", "order_id"],
        # And not VALUES, for which SQLAlchemy would compile the statement each time.
        union_all(_entry(0, Bucket.AVAILABLE, -_held), _entry(1, Bucket.HELD, _held)),
        include_defaults=False,
    )
    .cte("entered")
)
_sent = _insert(
    Command,
    _paid,
    {
        Command.account_id: _paid.c.account_id,
        Command.id: _given("command_id", Uuid()),
        Command.kind: literal(CommandKind.PLACE, Command.kind.type),
        Command.order_id: _new(Order.id),
    },
).cte("sent")
_noted = _insert(
    AccountEvent,
    _counted,
    {
        AccountEvent.account_id: _account_id,
        AccountEvent.seq: _counted.c.last_seq,
        AccountEvent.type: literal(EventType.ORDER, AccountEvent.type.type),
        AccountEvent.order_id: _new(Order.id),
        AccountEvent.data: _new(AccountEvent.data),
    },
).cte("noted")

_zero = literal(0, _AMOUNT)
_cells: dict[InstrumentedAttribute[Any], Any] = {
    Order.account_id: _paid.c.account_id,
    Order.status: literal(OrderStatus.PENDING_NEW, Order.status.type),
    Order.filled_qty: _zero,
    Order.filled_notional: _zero,
} | {
    given: _new(given)
    for given in (
        *(Order.id, Order.client_order_id, Order.symbol, Order.side, Order.type),
        *(Order.time_in_force, Order.post_only, Order.qty, Order.limit_price, Order.hold_price),
        *(Order.held_currency, Order.held),
    )
}
PLACE = (
    _insert(Order, _paid, _cells)
    .returning(*cast(Table, Order.__table__).columns)
    .add_cte(_counted_in_position, _entered, _sent, _noted)
)
"""Places the order of `parameters()`, and returns its row.

It returns none and does nothing where there is an order of that name, trading is halted, a limit
is reached that the order does not only reduce a position by, or there is too little money.
"""


def parameters(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values under the names that the statement knows them by."""
    return {f"given_{name}": value for name, value in values.items()}
