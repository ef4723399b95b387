"""Intents of a strategy, done in the transaction of its step: orders, notes, pauses."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ...core.database.transactions import after_commit
from ...core.errors import TradingException
from ...market.instruments import InstrumentErrorCode
from ...market.words import OrderType, TimeInForce
from ...trading import audit
from ...trading.codes import TradingErrorCode
from ...trading.orders.canceling import cancel_order
from ...trading.orders.model import Order
from ...trading.orders.placing import OrderRequest, Terms, place_order
from ...trading.orders.queries import find_order
from ..order_ids import client_order_id
from ..strategy import Cancel, Intent, Note, OrderKey, Pause, Place
from .counting import Worth
from .model import Desired, Instance, Status, StrategyNote, StrategyOrder
from .settings import RunnerSettings
from .telling import Telling

_TRIM_EVERY: Final = 100
_MOST_TEXT: Final = 2000
_STORE: Final = text("""
    WITH noted AS (
        INSERT INTO strategy_notes (account_id, strategy_id, n, at, candle, kind, text)
        SELECT CAST(:account AS uuid), CAST(:strategy AS uuid), note.n, clock_timestamp(),
            CAST(:candle AS timestamptz), note.kind, note.text
        FROM unnest(
            CAST(:numbers AS bigint[]), CAST(:kinds AS varchar[]), CAST(:texts AS text[])
        ) AS note (n, kind, text)
    )
    INSERT INTO equity_snapshots (account_id, strategy_id, at, cash, base, mark, equity)
    SELECT CAST(:account AS uuid), CAST(:strategy AS uuid), worth.* FROM (VALUES (
        CAST(:at AS timestamptz), CAST(:cash AS numeric), CAST(:base AS numeric),
        CAST(:mark AS numeric), CAST(:equity AS numeric)
    )) AS worth (at, cash, base, mark, equity)
    WHERE worth.at IS NOT NULL ON CONFLICT DO NOTHING
""")
_TRIM_EQUITY: Final = text("""
    DELETE FROM equity_snapshots
    WHERE account_id = :account AND strategy_id = :strategy AND at < :until
        AND date_trunc('hour', at, 'UTC') <> at
""")
_NOTHING: Final = Worth(None, None, None, None, None)
_NOT_STORED: Final = {
    TradingErrorCode.CLIENT_ORDER_ID_REUSED,
    InstrumentErrorCode.INSTRUMENT_NOT_FOUND,
}
"""Refusals of an order that are no answer to it: nothing was stored."""


class Acting:
    """Does what one instance wants, in one transaction."""

    def __init__(
        self,
        session: AsyncSession,
        instance: Instance,
        terms: Terms | None,
        telling: Telling,
        settings: RunnerSettings,
    ) -> None:
        self._session = session
        self._instance = instance
        self._terms = terms
        self._telling = telling
        self._settings = settings
        self._notes: list[tuple[int, str, str]] = []
        self.candle: datetime | None = None
        """Opening of the candle that the notes are about."""
        self.is_silent = False
        """Flag: notes are not kept, for the candles before the beginning are only to warm up."""

    async def do(self, intents: Sequence[Intent]) -> None:
        """Do it all, in its order."""
        for intent in intents:
            match intent:
                case Place():
                    await self.place(intent)
                case Cancel(key):
                    await self.cancel(key)
                case Note():
                    self._note_of_strategy(intent)
                case Pause(reason):
                    await self.pause(reason)

    # --- Orders ----------------------------------------------------------------------------------

    @property
    def can_place(self) -> bool:
        """True where orders can be placed: there are no terms until the books were compared."""
        return self._terms is not None

    async def place(self, wanted: Place) -> None:
        """Place the order. One that is denied is stored so, and told to the strategy later."""
        instance, key = self._instance, wanted.key
        assert self._terms is not None, "nothing is placed without terms"
        name = self._name_of(key)
        row: dict[str, Any] = {"account_id": instance.account_id, "strategy_id": instance.id}
        row |= {"client_order_id": name, "run": instance.run, **key._asdict()}
        await self._session.execute(insert(StrategyOrder).values(row).on_conflict_do_nothing())
        is_market = wanted.type is OrderType.MARKET
        request = OrderRequest(
            name,
            instance.symbol,
            wanted.side,
            wanted.type,
            TimeInForce.IOC if is_market else TimeInForce.GTC,
            wanted.qty,
            None if is_market else wanted.price,
            strategy_id=instance.id,
            role=wanted.role,
        )
        try:
            await place_order(self._session, instance.account_id, request, self._terms)
        except TradingException as refusal:
            if refusal.code in _NOT_STORED:
                raise
            self.note("denied", f"{wanted.role}: {refusal.message} ({refusal.code})")

    async def cancel(self, key: OrderKey) -> None:
        """Have the order canceled. One that has ended already is told, as always."""
        name = self._name_of(key)
        order = await find_order(self._session, self._instance.account_id, name)
        if order is None:
            self.note("unknown_order", f"{key.role}: there is no such order to cancel")
            return
        await self.cancel_stored(order)

    async def cancel_stored(self, order: Order) -> None:
        """Have an order of the strategy canceled."""
        await self._session.execute(
            update(StrategyOrder)
            .where(
                StrategyOrder.account_id == order.account_id,
                StrategyOrder.strategy_id == self._instance.id,
                StrategyOrder.client_order_id == order.client_order_id,
            )
            .values(asked=True)
            .execution_options(synchronize_session=False)
        )
        await cancel_order(self._session, order.account_id, order.id)

    def _name_of(self, key: OrderKey) -> str:
        return client_order_id(name_of_run(self._instance.id, self._instance.run), key)

    # --- Notes -----------------------------------------------------------------------------------

    def _note_of_strategy(self, note: Note) -> None:
        if note.alert:
            self.alert(note.kind, note.text)
        if not self.is_silent:
            self.note(note.kind, note.text)

    def note(self, kind: str, text: str) -> None:
        """Write down why something was done or not; it is stored by `finish`."""
        self._instance.notes += 1
        self._notes.append((self._instance.notes, storable(kind, 64), storable(text, _MOST_TEXT)))

    async def finish(self, worth: Worth | None = None) -> None:
        """Store the notes and what the strategy is worth, all in one statement.

        Of old notes, the oldest are forgotten; of old equity, what is between full hours.
        """
        instance, notes = self._instance, self._notes
        if not notes and worth is None:
            return
        self._notes = []
        numbers, kinds, texts = ([note[i] for note in notes] for i in range(3))
        values: dict[str, Any] = {
            "account": instance.account_id,
            "strategy": instance.id,
            "candle": self.candle,
        }
        values |= {"numbers": numbers, "kinds": kinds, "texts": texts}
        values |= (worth or _NOTHING)._asdict()
        await self._session.execute(_STORE, values)
        if any(n % _TRIM_EVERY == 0 for n in numbers):
            await self._session.execute(
                delete(StrategyNote)
                .where(
                    StrategyNote.account_id == instance.account_id,
                    StrategyNote.strategy_id == instance.id,
                    StrategyNote.n <= instance.notes - self._settings.kept_notes,
                )
                .execution_options(synchronize_session=False)
            )
        if worth is not None and worth.at is not None and worth.at.time() == time():  # once a day
            until = worth.at - timedelta(days=self._settings.kept_equity)
            names = {"account": instance.account_id, "strategy": instance.id}
            await self._session.execute(_TRIM_EQUITY, names | {"until": until})

    # --- Its condition ---------------------------------------------------------------------------

    async def pause(self, reason: str) -> None:
        """Have it open no position until somebody resumes it, and tell people why."""
        if self._instance.desired is Desired.RUNNING:
            await set_status(
                self._session, self._instance, Status.PAUSED, reason, "service", Desired.PAUSED
            )
        self.note("paused", reason)
        self.alert("paused", reason)

    def alert(self, kind: str, text: str) -> None:
        """Tell people, once the step is committed."""
        instance = self._instance
        told = self._telling.alert(kind, instance.id, instance.name, instance.symbol, text)
        after_commit(self._session, told)


async def set_status(
    session: AsyncSession,
    instance: Instance,
    status: Status,
    reason: str,
    actor: str,
    desired: Desired | None = None,
) -> None:
    """Change the condition of the instance, with an entry of the audit."""
    before = _condition(instance)
    if instance.status is not status:
        instance.status_since = (await session.scalars(select(func.clock_timestamp()))).one()
    instance.status, instance.status_reason = status, storable(reason, 500)
    instance.desired = desired or instance.desired
    after = _condition(instance)
    if before != after:
        await audit.note(
            session,
            account_id=instance.account_id,
            actor=actor,
            action="strategy.set",
            before=before,
            after=after,
        )


def _condition(instance: Instance) -> dict[str, Any]:
    return {
        "strategy": instance.name,
        "status": instance.status.value,
        "desired": instance.desired.value,
        "reason": instance.status_reason,
    }


def name_of_run(strategy_id: UUID, run: int) -> UUID:
    """Return what the ids of a run's orders are made of: no two runs have the same ones."""
    return strategy_id if run <= 1 else uuid5(strategy_id, str(run))


def storable(text: str, most: int) -> str:
    """Return the text as the database can store it, cut to `most` characters."""
    text = text.replace("\x00", "?").encode(errors="replace").decode()
    end = f" … ({len(text)} characters)"
    return text if len(text) <= most else text[: most - len(end)] + end
