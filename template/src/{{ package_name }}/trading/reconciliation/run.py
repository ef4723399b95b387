"""A run of reconciliation: what the exchange has, beside the books.

It applies fills that were missed, notes orders that are not ours, and tells of what differs. It
never makes up a fill, and never ends an order that the exchange has not ended. A second run finds
the same and writes nothing to the books. What the exchange did not answer says nothing.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ...core.alerts.alerts import Alert, Alerts
from ...core.database.session import Database
from ...core.database.transactions import transactional
from ...exchanges.client import ExchangeClient, VenueError, VenueOrder
from ...market.money import plain
from .. import metrics
from ..accounts import Account
from ..balances import Balance
from ..failures import Failures
from ..orders.model import Order
from ..orders.states import OPEN
from ..outbox import Command, CommandKind
from ..settlement import book_unfunded
from ..venue_watch import VenueWatch
from .model import ExternalOrder, Reconciliation, ReconciliationStatus, Trigger

_log = structlog.get_logger(__name__)

_AT_ONCE: Final = 4
"""Accounts that are compared at the same time."""
_LOOKS: Final = 3
"""Money moves while one looks: only what differs each time is a difference."""

_DRIFT_ALERT: Final = "reconciliation:drift"
_ERROR_ALERT: Final = "reconciliation:error"

Finding = dict[str, Any]


class Reconciler:
    """Compares the accounts with the exchange: each at the start, then now and again."""

    def __init__(
        self, database: Database, exchange: ExchangeClient, watch: VenueWatch, alerts: Alerts
    ) -> None:
        self.is_done = False
        """Tell whether the exchange has answered for each account since the start."""
        self._database = database
        self._exchange = exchange
        self._watch = watch
        self._alerts = alerts
        self._failures = Failures("reconciliation")
        self._broken: set[UUID] = set()

    def is_awaited(self, account_id: UUID) -> bool:
        """Tell whether the account's new orders wait for its first comparison since the start.

        An account whose comparison fails by an error of its own keeps no other one waiting.
        """
        return not self.is_done or account_id in self._broken

    async def run_once(self) -> None:
        """Compare every account with the exchange. What goes wrong with one is its own."""
        trigger = Trigger.PERIODIC if self.is_done else Trigger.START
        async with self._database.sessions() as session:
            accounts = (await session.scalars(select(Account.id).order_by(Account.id))).all()
        free = asyncio.Semaphore(_AT_ONCE)

        async def one(account_id: UUID) -> Reconciliation | None:
            async with free:
                try:
                    return await self.reconcile(account_id, trigger)
                except Exception as error:
                    self._fail(account_id, error)
                    return None

        runs: list[Reconciliation] = []
        for run in await asyncio.gather(*map(one, accounts), return_exceptions=True):
            if isinstance(run, BaseException):  # of the database, and so of all of them
                raise run
            if run is not None and run.status is not ReconciliationStatus.FAILED:
                runs.append(run)
        self._tell(runs)
        failed = {*accounts} - {run.account_id for run in runs}
        metrics.NOT_COMPARED.set(len(failed))
        if failed <= self._broken:
            self.is_done = True
            metrics.RECONCILED.set(1)

    def _fail(self, account_id: UUID, error: Exception) -> None:
        self._failures.note(account_id, error)
        if not self.is_done:
            self._broken.add(account_id)

    def _tell(self, runs: Iterable[Reconciliation]) -> None:
        if self._broken:
            accounts = ", ".join(sorted(map(str, self._broken))[:5])
            title = "Accounts can't be compared with the exchange, and place no orders"
            self._alerts.fire(Alert(_ERROR_ALERT, title, {"accounts": accounts}, "critical"))
        else:
            self._alerts.resolve(_ERROR_ALERT, "Every account can be compared with the exchange")
        drifting = [run for run in runs if run.status is ReconciliationStatus.DRIFT]
        metrics.DRIFT.set(len(drifting))
        if drifting:
            details = {
                "accounts": ", ".join(str(run.account_id) for run in drifting[:5]),
                "first": drifting[0].findings[0]["text"],
            }
            title = "The books and the exchange differ"
            self._alerts.fire(Alert(_DRIFT_ALERT, title, details, "critical"))
        else:
            self._alerts.resolve(_DRIFT_ALERT, "The books and the exchange agree")

    async def reconcile(self, account_id: UUID, trigger: Trigger) -> Reconciliation:
        """Compare one account with the exchange, and return what was found.

        A run at a request is stored, and the one that ends the start; another one where it ends in
        another way than the one before.
        """
        async with self._database.sessions() as session:
            started = await session.scalar(select(func.clock_timestamp()))
        assert started is not None
        try:
            findings = await self._findings(account_id)
            status = ReconciliationStatus.DRIFT if findings else ReconciliationStatus.CLEAN
            self._failures.forget(account_id)
            self._broken.discard(account_id)
        except VenueError as error:
            findings = [_finding("no_answer", f"The exchange did not answer: {error}")]
            status = ReconciliationStatus.FAILED
        except Exception as error:
            self._fail(account_id, error)
            kind = type(error).__name__
            findings = [_finding("error", f"The comparison has failed, the log says why: {kind}")]
            status = ReconciliationStatus.FAILED
        for finding in findings:
            _log.warning("reconciliation", account=str(account_id), **finding)
        return await self._store(account_id, trigger, status, findings, started)

    async def _findings(self, account_id: UUID) -> list[Finding]:
        applied = await self._watch.fetch_fills(account_id)
        if applied:
            metrics.MISSED_FILLS.inc(applied)
        async with self._database.sessions() as session:
            await book_unfunded(session, account_id)
        await self._watch.fetch_ends(account_id)
        found: list[Finding] = []
        for look in range(_LOOKS):
            if look:
                await asyncio.sleep(0.2 * look)
                await self._watch.look(account_id)
            found = [*await self._orders(account_id), *await self._balances(account_id)]
            if not found:
                break
        return found

    # --- Orders ----------------------------------------------------------------------------------

    async def _orders(self, account_id: UUID) -> list[Finding]:
        there = {
            order.venue_client_id: order for order in await self._exchange.open_orders(account_id)
        }
        async with self._database.sessions() as session:
            query = select(Order).where(Order.account_id == account_id, Order.status.in_(OPEN))
            open_here = {order.venue_client_id: order for order in await session.scalars(query)}
            sending = set(
                await session.scalars(
                    select(Command.order_id).where(
                        Command.account_id == account_id, Command.kind == CommandKind.PLACE
                    )
                )
            )
            ids = {_id(name): name for name in there}
            known = set(
                await session.scalars(
                    select(Order.id).where(
                        Order.account_id == account_id, Order.id.in_([i for i in ids if i])
                    )
                )
            )
        found = []
        for name, order in open_here.items():
            if name in there or order.id in sending:
                continue
            report = await self._exchange.get_order(account_id, name)
            if report is None:
                text = f"Order {order.id} is open here, and the exchange does not know it"
                found.append(_finding("missing_there", text, order_id=str(order.id)))
        for name, report in there.items():
            if _id(name) not in known:
                if await self._note_external(report):
                    _log.warning("an order that is not ours", venue_order_id=report.venue_order_id)
                text = (
                    f"Order {report.venue_order_id} is open there, and this service has not sent it"
                )
                found.append(_finding("external_order", text, venue_order_id=report.venue_order_id))
            elif name not in open_here and _id(name) not in sending:
                text = f"Order {_id(name)} has ended here, and is open there"
                found.append(_finding("ended_here", text, order_id=str(_id(name))))
            elif name in open_here and report.filled_qty != open_here[name].filled_qty:
                text = (
                    f"Order {_id(name)} is filled by {plain(open_here[name].filled_qty)} here,"
                    f" by {plain(report.filled_qty)} there"
                )
                found.append(_finding("filled_qty", text, order_id=str(_id(name))))
        return found

    async def _note_external(self, report: VenueOrder) -> bool:
        """Store an order that is not ours; tell whether it is new."""
        row = {
            "account_id": report.account_id,
            "venue": self._exchange.name,
            "venue_order_id": report.venue_order_id,
            "venue_client_id": report.venue_client_id,
            "symbol": report.symbol,
            "side": report.side,
            "qty": report.qty,
            "filled_qty": report.filled_qty,
            "status": report.status.value,
        }
        async with self._database.sessions() as session, transactional(session):
            stored = await session.scalar(
                insert(ExternalOrder)
                .values(row)
                .on_conflict_do_nothing()
                .returning(ExternalOrder.venue_order_id)
            )
        return stored is not None

    # --- Money -----------------------------------------------------------------------------------

    async def _balances(self, account_id: UUID) -> list[Finding]:
        there = {
            balance.currency: balance.free + balance.frozen
            for balance in await self._exchange.balances(account_id)
        }
        await self._watch.fetch_fills(account_id)
        async with self._database.sessions() as session:
            on_its_way = select(Command.currency).where(
                Command.account_id == account_id, Command.kind == CommandKind.DEPOSIT
            )
            moving = set(await session.scalars(on_its_way))
            query = select(Balance).where(Balance.account_id == account_id)
            here = {balance.currency: balance.total for balance in await session.scalars(query)}
        none = Decimal(0)
        return [
            _finding(
                "balance",
                f"{currency}: {plain(here.get(currency, none))} in the books,"
                f" {plain(there.get(currency, none))} at the exchange",
                currency=currency,
            )
            for currency in sorted((here.keys() | there.keys()) - moving)
            if here.get(currency, none) != there.get(currency, none)
        ]

    async def _store(
        self,
        account_id: UUID,
        trigger: Trigger,
        status: ReconciliationStatus,
        findings: list[Finding],
        started: datetime,
    ) -> Reconciliation:
        run = Reconciliation(
            account_id=account_id,
            trigger=trigger,
            status=status,
            findings=findings,
            started_at=started,
        )
        async with self._database.sessions() as session, transactional(session):
            is_told = trigger is Trigger.REQUEST or (
                trigger is Trigger.START and status is not ReconciliationStatus.FAILED
            )
            if is_told or await _last(session, account_id) is not status:
                session.add(run)
                await session.flush()
                await session.refresh(run)
            session.expunge_all()
        return run


async def _last(session: AsyncSession, account_id: UUID) -> ReconciliationStatus | None:
    query = (
        select(Reconciliation.status)
        .where(Reconciliation.account_id == account_id)
        .order_by(Reconciliation.started_at.desc(), Reconciliation.id.desc())
        .limit(1)
    )
    return await session.scalar(query)


def _id(venue_client_id: str) -> UUID | None:
    """Return the id of our order of that name, None if it can't be one of ours."""
    try:
        return UUID(hex=venue_client_id)
    except ValueError:
        return None


def _finding(kind: str, text: str, **figures: str) -> Finding:
    return {"kind": kind, "text": text, **figures}
