"""The dispatcher: sends what is in the outbox, and settles what came of it.

One runs in every replica. It takes a command and commits that, sends it while it holds no
transaction, and writes what came of it. If it dies in between, another one takes the command after
the lease, and asks the exchange before it sends again, under the same id. So the exchange has one
order for each of ours, wherever the first one died.
"""

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final, TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from ..core.database.session import Database
from ..core.database.tables import new_id
from ..core.database.transactions import transactional
from ..exchanges.client import (
    Accepted,
    Ambiguous,
    Duplicate,
    ExchangeClient,
    NotSent,
    RateLimited,
    Rejected,
    Trouble,
    VenueError,
    VenueOrder,
    VenueOrderRequest,
)
from ..market.words import OrderType
from . import metrics, outbox
from .account_books import lock_books
from .deposits import book_deposit_confirmed
from .orders.accepting import accept_first
from .orders.canceling import NEVER_SENT
from .orders.model import Order
from .orders.queries import get_order
from .orders.states import OrderStatus
from .outbox import Command, CommandKind
from .settlement import accept, apply_report, end, reject
from .venue_watch import VenueWatch

_log = structlog.get_logger(__name__)

OutcomeT = TypeVar("OutcomeT")

BATCH: Final = 32
"""Commands that are sent at the same time, at most."""
REQUEST_EXPIRED: Final = "REQUEST_EXPIRED"
"""The exchange's refusal of what has come too late: nothing was done, and it is sent again."""
CLOCK_MARGIN: Final = timedelta(seconds=5)
"""Longest time that the exchange's clock may be behind the database's."""
_DELAYS: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds until the next attempt, after the first, the second and so on."""
_SELDOM: Final = 60
"""Seconds in their place, after so many, where the exchange has answered and only people can help:
reconciliation tells them."""


class Dispatcher:
    """Sends the commands of every account, and settles them."""

    def __init__(
        self,
        database: Database,
        exchange: ExchangeClient,
        watch: VenueWatch,
        *,
        at_once: int = BATCH,
        settling: int = BATCH,
    ) -> None:
        """Send `at_once` commands at the same time: each of them may need a connection.

        What came of them is settled for `settling` accounts at the same time. Who waits for an
        account's books keeps a connection meanwhile, which others may need.
        """
        self.name = f"{socket.gethostname()[:30]}-{os.getpid()}-{new_id().hex[-8:]}"
        self._database = database
        self._exchange = exchange
        self._watch = watch
        self._at_once = min(at_once, BATCH)
        self._settlers = asyncio.Semaphore(settling)
        self._turns: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    async def run_once(self) -> int:
        """Send what is due, and return how many commands that were."""
        return await self._send(await self._take())

    async def send_deposit_now(self, deposit_id: UUID) -> None:
        """Have the deposit credited and booked now, unless somebody else has taken it."""
        await self._send(await self._take(deposit_id))

    async def _take(self, deposit_id: UUID | None = None) -> list[Command]:
        async with self._database.sessions() as session, transactional(session):
            commands = list(await outbox.take(session, self.name, self._at_once, deposit_id))
            session.expunge_all()
        return commands

    async def _send(self, commands: list[Command]) -> int:
        tasks = {asyncio.create_task(self._do(command)): command for command in commands}
        try:
            if tasks:
                await asyncio.wait(tasks)
        finally:
            for task in tasks:
                task.cancel()  # one that is done already is not
        for task, command in tasks.items():
            if error := task.exception():
                # It is taken again after the lease, and asked for.
                _log.error("a command failed", command=str(command.id), exc_info=error)
        return len(commands)

    async def _do(self, command: Command) -> None:
        try:
            match command.kind:
                case CommandKind.PLACE:
                    await self._place(command)
                case CommandKind.CANCEL:
                    await self._cancel(command)
                case CommandKind.DEPOSIT:
                    await self._deposit(command)
        except VenueError as error:
            await self._put_back(command, error.trouble)

    # --- The commands ----------------------------------------------------------------------------

    async def _place(self, command: Command) -> None:
        order = await self._order_of(command)
        if not order.status.is_open:
            await self._done(command)
            return
        if command.attempts > 1:
            known = await self._known(order)
            if known is not None:
                await self._done(command, known)
                return
            if not await self._may_send_again(command, order):
                return
        with self._watch.expected(order.account_id):
            await self._send_order(command, order)

    async def _send_order(self, command: Command, order: Order) -> None:
        outcome = _counted(command, await self._exchange.place(_request(order, command)))
        match outcome:
            case Accepted(venue_order_id):
                async with self._turn(order.account_id):
                    sessions = self._database.sessions
                    is_noted = await accept_first(sessions, command, order, venue_order_id)
                if not is_noted:
                    async with self._settling(command) as session:
                        await accept(session, order.account_id, order.id, venue_order_id)
                await self._watch.look_at(order)
            case Duplicate():
                known = await self._known(order)
                if known is None:
                    await self._put_back(command, Ambiguous("a duplicate that is not found"))
                else:
                    await self._done(command, known)
            case Rejected(reason) if reason == REQUEST_EXPIRED:
                await self._put_back(command, NotSent("it came too late"))
            case Rejected(reason, message):
                _log.warning("order rejected", order=str(order.id), reason=reason, why=message)
                await self._reject(command, order, reason)
            case _:
                await self._put_back(command, outcome, may_arrive=isinstance(outcome, Ambiguous))

    async def _reject(self, command: Command, order: Order, reason: str) -> None:
        """End the order, unless the exchange may have another request for it.

        That is one that was sent before and got no answer, or another dispatcher's, which has taken
        the command while this one was frozen.
        """
        if await self._may_arrive(command):
            await self._put_back(command, Ambiguous("refused, and an earlier one may arrive"))
            return
        async with (
            self._turn(command.account_id),
            self._database.sessions() as session,
            transactional(session),
        ):
            await lock_books(session, command.account_id)
            if await outbox.is_own(session, command):
                await reject(session, order.account_id, order.id, reason)
                await outbox.remove(session, command)

    async def _may_arrive(self, command: Command) -> bool:
        async with self._database.sessions() as session:
            return await outbox.may_arrive(session, command, CLOCK_MARGIN)

    async def _may_send_again(self, command: Command, order: Order) -> bool:
        """Tell whether an order that the exchange has not may be sent again; else see to it."""
        if order.status is OrderStatus.PENDING_CANCEL:
            if await self._may_arrive(command):
                await self._put_back(command, Ambiguous("canceled, and perhaps on its way"))
                return False
            async with self._settling(command) as session:
                await lock_books(session, order.account_id)
                current = await get_order(session, order.account_id, order.id, lock=True)
                if current.status.is_open:
                    await end(session, current, OrderStatus.CANCELED, NEVER_SENT)
            return False
        async with self._database.sessions() as session:
            is_forbidden = await outbox.is_forbidden(session, command)
        if is_forbidden:
            await self._put_back(command, NotSent("trading is halted"))
        return not is_forbidden

    async def _cancel(self, command: Command) -> None:
        order = await self._order_of(command)
        if not order.status.is_open:
            await self._done(command)
            return
        outcome = _counted(
            command, await self._exchange.cancel(order.account_id, order.venue_client_id)
        )
        if not isinstance(outcome, Accepted | Rejected):
            await self._put_back(command, outcome)
            return
        # Whatever the exchange has said, only its order tells how it ended.
        known = await self._known(order)
        if known is None:
            trouble = Ambiguous("the exchange does not know the order")
            await self._put_back(command, trouble, is_answered=True)
        elif isinstance(outcome, Accepted) or known.status.is_final:
            await self._done(command, known)
        else:
            trouble = Ambiguous(f"cancellation refused: {outcome.reason}")
            await self._put_back(command, trouble, is_answered=True)

    async def _deposit(self, command: Command) -> None:
        assert command.transfer_id is not None
        assert command.currency is not None
        assert command.amount is not None
        outcome = _counted(
            command,
            await self._exchange.deposit(
                command.account_id, command.transfer_id, command.currency, command.amount
            ),
        )
        match outcome:
            case Accepted():
                async with self._settling(command) as session:
                    if command.deposit_id is not None:
                        await book_deposit_confirmed(
                            session, command.account_id, command.deposit_id
                        )
            case Rejected(reason):
                trouble = Ambiguous(f"the deposit was refused: {reason}")
                await self._put_back(command, trouble, is_answered=True)
            case _:
                await self._put_back(command, outcome)

    # --- Their ends ------------------------------------------------------------------------------

    async def _order_of(self, command: Command) -> Order:
        assert command.order_id is not None
        async with self._database.reading_sessions() as session:
            return await get_order(session, command.account_id, command.order_id)

    async def _known(self, order: Order) -> VenueOrder | None:
        return await self._exchange.get_order(order.account_id, order.venue_client_id)

    @asynccontextmanager
    async def _settling(self, command: Command) -> AsyncIterator[AsyncSession]:
        """Do the block and remove the command in one transaction. The block locks the books."""
        async with (
            self._turn(command.account_id),
            self._database.sessions() as session,
            transactional(session),
        ):
            yield session
            await outbox.remove(session, command)

    @asynccontextmanager
    async def _turn(self, account_id: UUID) -> AsyncIterator[None]:
        """Wait until nothing else of the account is settled here; without a connection."""
        async with self._turns.setdefault(account_id, asyncio.Lock()), self._settlers:
            yield

    async def _done(self, command: Command, known: VenueOrder | None = None) -> None:
        """Remove the command, with what the exchange knows of its order."""
        async with self._settling(command) as session:
            if known is not None:
                await apply_report(session, known)
        if known is not None:
            await self._watch.look(command.account_id)

    async def _put_back(
        self,
        command: Command,
        trouble: Trouble,
        *,
        may_arrive: bool = False,
        is_answered: bool = False,
    ) -> None:
        """Have it tried again: soon after the first attempt, later after more of them."""
        seconds = _DELAYS[min(command.attempts, len(_DELAYS)) - 1]
        if is_answered and command.attempts > len(_DELAYS):
            seconds = _SELDOM
        if isinstance(trouble, RateLimited):
            seconds = max(seconds, trouble.retry_after)
        _log.warning("a command is not settled", command=str(command.id), trouble=str(trouble))
        async with self._database.sessions() as session, transactional(session):
            await outbox.put_back(session, command, seconds, str(trouble), may_arrive=may_arrive)


def _counted(command: Command, outcome: OutcomeT) -> OutcomeT:
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(outcome).__name__).lower()
    metrics.CALLS.labels(command.kind, name).inc()
    return outcome


def _request(order: Order, command: Command) -> VenueOrderRequest:
    return VenueOrderRequest(
        account_id=order.account_id,
        venue_client_id=order.venue_client_id,
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        time_in_force=order.time_in_force,
        qty=order.qty,
        limit_price=order.limit_price,
        post_only=order.post_only,
        worst_price=order.hold_price if order.type is OrderType.MARKET else None,
        valid_until=command.valid_until,
        client_order_id=order.client_order_id,
    )
