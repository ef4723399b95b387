"""The statement that places an order: checks, hold, order, ledger, outbox and event, or nothing.

One statement is one message to the server and a transaction by itself, so that it costs less than
half of what its parts would, one after another.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Enum,
    Integer,
    Numeric,
    String,
    Table,
    Uuid,
    and_,
    case,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import InstrumentedAttribute

from ...core.database.tables import given
from ...core.database.transactions import Prepared
from ..account_books import EVERYONE, AccountBooks
from ..balances import Balance
from ..events import AccountEvent, EventType
from ..ledger import Bucket, EntryKind, LedgerEntry
from ..outbox import Command, CommandKind
from ..positions import Position
from ..risk.state import TradingState, TradingStateRow
from .model import Order
from .states import OrderStatus


def _constant(value: str) -> ColumnElement[Any]:
    # As a parameter, it would be sent and converted each time.
    return literal_column(f"'{value}'")


def _new(column: InstrumentedAttribute[Any]) -> BindParameter[Any]:
    # The words of an enumeration are texts already.
    type_ = String(column.type.length) if isinstance(column.type, Enum) else column.type
    return given(column.key, type_)


_zero: ColumnElement[Any] = literal_column("0")
_one: ColumnElement[Any] = literal_column("1")
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
    scope = TradingStateRow.account_id.in_([_account_id, _constant(f"{EVERYONE}")])
    return exists().where(scope, TradingStateRow.state == _constant(state))


_this_second = func.date_trunc(_constant("second"), func.clock_timestamp())
_qty_after = func.coalesce(_position.c.qty, _zero)
_within_limits = and_(
    given("is_within_limits", Order.post_only.type),
    ~_is_set(TradingState.REDUCING),
    _books.c.open_orders < given("max_open_orders", Integer()),
    case((_books.c.second == _this_second, _books.c.second_orders), else_=_zero)
    < given("max_orders_per_second", Integer()),
    _qty_after + func.coalesce(_position.c.buying, _zero) + _buying
    <= given("max_position", _AMOUNT),
)
_only_reduces = and_(
    _selling > _zero, _qty_after - func.coalesce(_position.c.selling, _zero) >= _selling
)
_allowed = (
    select(_books.c.account_id)
    .select_from(_books.outerjoin(_position, true()))
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
        last_seq=AccountBooks.last_seq + _one,
        open_orders=AccountBooks.open_orders + _one,
        second=_this_second,
        second_orders=case(
            (AccountBooks.second == _this_second, AccountBooks.second_orders + _one), else_=_one
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
        literal_column(f"{n}"),
        _constant(EntryKind.PENDING),
        _constant(bucket),
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
        Command.id: given("command_id", Uuid()),
        Command.kind: _constant(CommandKind.PLACE),
        Command.order_id: _new(Order.id),
    },
).cte("sent")
_noted = _insert(
    AccountEvent,
    _counted,
    {
        AccountEvent.account_id: _account_id,
        AccountEvent.seq: _counted.c.last_seq,
        AccountEvent.type: _constant(EventType.ORDER),
        AccountEvent.order_id: _new(Order.id),
        AccountEvent.data: _new(AccountEvent.data),
    },
).cte("noted")

_cells: dict[InstrumentedAttribute[Any], Any] = {
    Order.account_id: _paid.c.account_id,
    Order.status: _constant(OrderStatus.PENDING_NEW),
    Order.filled_qty: _zero,
    Order.filled_notional: _zero,
} | {
    given: _new(given)
    for given in (
        *(Order.id, Order.client_order_id, Order.symbol, Order.side, Order.type),
        *(Order.time_in_force, Order.post_only, Order.qty, Order.limit_price, Order.hold_price),
        *(Order.held_currency, Order.held, Order.strategy_id, Order.role),
    )
}
PLACE = Prepared(
    _insert(Order, _paid, _cells)
    .returning(Order.created_at)
    .add_cte(_counted_in_position, _entered, _sent, _noted)
)
"""Places the order of `parameters()`, and returns when that was.

It returns none and does nothing where there is an order of that name, trading is halted, a limit
is reached that the order does not only reduce a position by, or there is too little money.
"""


COLUMNS = frozenset(column.key for column in cast(Table, Order.__table__).columns)


def placed(values: dict[str, Any], created_at: datetime) -> Order:
    """Return the order of these values, as it is stored. It is for reading, and of no session."""
    none = {"reason_code": None, "venue_order_id": None, "canceled_at": None}
    begin = {"filled_qty": Decimal(0), "filled_notional": Decimal(0)}
    given = {name: value for name, value in values.items() if name in COLUMNS}
    return Order.of_values(
        given | none | begin | {"status": OrderStatus.PENDING_NEW, "created_at": created_at}
    )


def parameters(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values under the names that the statement knows them by."""
    return {f"given_{name}": value for name, value in values.items()}
