"""The tables of strategies that run: instances, their settings, orders, notes and equity."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import StringConstraints
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ...core.database.tables import Base, new_id, one_of, words
from ...market.candles import Timeframe
from ...market.columns import AMOUNT
from ...market.instruments import Instrument
from ...trading.accounts import Account

StrategyName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Desired(StrEnum):
    """Conditions that people want an instance to be in."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


class Status(StrEnum):
    """Conditions that an instance is in.

    `paused`: it opens no position, and still leaves them. `stopping`: what it has open is being
    ended; `stop_incomplete` says that not all of it was in time. `failed`: it goes on when somebody
    starts it again.
    """

    CREATED = "created"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    STOP_INCOMPLETE = "stop_incomplete"
    FAILED = "failed"


ACTIVE: Final = (Status.STARTING, Status.RUNNING, Status.PAUSED, Status.STOPPING)
"""Of an instance that somebody has to run."""
_ACTIVE = ", ".join(f"'{status}'" for status in ACTIVE)
IS_ACTIVE: Final = f"status IN ({_ACTIVE})"
"""The same condition in SQL; there is an index of those."""


class StopMode(StrEnum):
    """Fates of what a strategy has open when it stops.

    `keep`: it stays. `cancel`: orders are canceled. `close`: and what it has bought is sold.
    """

    KEEP = "keep"
    CANCEL = "cancel"
    CLOSE = "close"


def _at(**options: Any) -> Any:
    return mapped_column(DateTime(timezone=True), **options)


class Instance(Base):
    """A table of strategies, each with its settings, its state, and who runs it.

    Who has the lease, until `lease_until` by the database's clock, makes its steps; each new lease
    has another `lease_token`, so that who has lost it can't commit. `run` counts the beginnings
    from nothing. `cursor_event` and `cursor_candle` are the last that it has seen; it waits for the
    bid to reach `watch_price`, and for the time to be `wake_at`. `cash` begins with
    `capital`, the funds that the strategy needs, and `base` with nothing; its fills change both.
    """

    __tablename__ = "strategies"
    __table_args__ = (
        UniqueConstraint("account_id", "name"),
        one_of("timeframe", Timeframe),
        one_of("desired", Desired),
        one_of("status", Status),
        one_of("stop_mode", StopMode),
        CheckConstraint("capital > -1e20 AND capital < 1e20", name="capital_range"),
        CheckConstraint("cash > -1e20 AND cash < 1e20", name="cash_range"),
        CheckConstraint("base > -1e20 AND base < 1e20", name="base_range"),
        Index(
            "ix_strategies_active",
            *("account_id", "symbol"),
            unique=True,
            postgresql_where=IS_ACTIVE,
        ),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey(Account.id), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(64))
    symbol: Mapped[str] = mapped_column(ForeignKey(Instrument.symbol))
    timeframe: Mapped[Timeframe] = mapped_column(words(Timeframe, 8))
    params: Mapped[dict[str, Any]] = mapped_column(JSONB)
    params_version: Mapped[int] = mapped_column(default=1, server_default="1")
    desired: Mapped[Desired] = mapped_column(words(Desired, 8), default=Desired.STOPPED)
    status: Mapped[Status] = mapped_column(words(Status, 16), default=Status.CREATED)
    status_reason: Mapped[str] = mapped_column(String(500), default="", server_default="")
    status_since: Mapped[datetime] = _at(server_default=func.now())
    stop_mode: Mapped[StopMode | None] = mapped_column(words(StopMode, 8))
    stop_deadline: Mapped[datetime | None] = _at()
    run: Mapped[int] = mapped_column(default=0, server_default="0")
    lease_owner: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[datetime | None] = _at()
    lease_token: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    state: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    state_version: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    cursor_candle: Mapped[datetime | None] = _at()
    cursor_event: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    watch_price: Mapped[Decimal | None] = mapped_column(AMOUNT)
    watch_since: Mapped[datetime | None] = _at()
    wake_at: Mapped[datetime | None] = _at()
    capital: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0), server_default="0")
    cash: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0), server_default="0")
    base: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0), server_default="0")
    notes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    errors: Mapped[int] = mapped_column(default=0, server_default="0")
    errors_since: Mapped[datetime | None] = _at()
    created_at: Mapped[datetime] = _at(server_default=func.now())
    started_at: Mapped[datetime | None] = _at()

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE


def _of_instance() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["account_id", "strategy_id"], ["strategies.account_id", "strategies.id"]
    )


class ParamsVersion(Base):
    """A table of the settings that a strategy was given: by whom, when, in which request."""

    __tablename__ = "strategy_params"
    __table_args__ = (_of_instance(),)

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    strategy_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    params: Mapped[dict[str, Any]] = mapped_column(JSONB)
    changed_by: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str | None] = mapped_column(String(128))
    created_at: Mapped[datetime] = _at(server_default=func.now())


class StrategyOrder(Base):
    """A table of what a strategy's orders are to it. `asked`: it wants the order canceled.

    An order's name is made of the others, and can't be read backwards.
    """

    __tablename__ = "strategy_orders"
    __table_args__ = (_of_instance(),)

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    strategy_id: Mapped[UUID] = mapped_column(primary_key=True)
    client_order_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    run: Mapped[int]
    role: Mapped[str] = mapped_column(String(32))
    cycle: Mapped[int]
    n: Mapped[int]
    asked: Mapped[bool] = mapped_column(default=False, server_default="false")
    filled_qty: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0), server_default="0")


class StrategyNote(Base):
    """A table of why a strategy did or did not act. The newest are kept, `n` counts them all."""

    __tablename__ = "strategy_notes"
    __table_args__ = (_of_instance(),)

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    strategy_id: Mapped[UUID] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = _at(server_default=func.now())
    candle: Mapped[datetime | None] = _at()
    kind: Mapped[str] = mapped_column(String(64))
    text: Mapped[str] = mapped_column(Text)


class EquitySnapshot(Base):
    """A table of what a strategy was worth at the close of each candle, in quote units.

    Of old ones only those at full hours are kept.
    """

    __tablename__ = "equity_snapshots"
    __table_args__ = (_of_instance(),)

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    strategy_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = _at(primary_key=True)
    cash: Mapped[Decimal] = mapped_column(AMOUNT)
    base: Mapped[Decimal] = mapped_column(AMOUNT)
    mark: Mapped[Decimal] = mapped_column(AMOUNT)
    equity: Mapped[Decimal] = mapped_column(AMOUNT)
