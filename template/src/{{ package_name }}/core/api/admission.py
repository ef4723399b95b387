"""The door: which requests are served, now or in a moment, and which are refused at once.

A request passes it before its body is read, before its key is looked up, and before anything asks
a database. What is counted is the process's own; the limit of a key alone is shared with others.
"""

from collections import Counter
from collections.abc import Callable
from typing import NoReturn
from uuid import UUID

from redis.asyncio import Redis
from starlette.requests import HTTPConnection
from starlette.types import Scope

from ..alerts.alert import Alert
from ..alerts.alerts import Alerts
from ..config import Settings
from ..observability.addresses import neighbourhood
from ..observability.admission_figures import KEYS_REFUSED, REASONS, SHED, WAITING
from ..process.callers import Caller, caller_of
from ..process.rates import Rates
from ..process.slots import Slots
from ..redis.shared_rates import SharedRates
from .refusals import Refusal, RefusalLog, refusal

_READING = {"GET", "HEAD"}
_KNOWN_KEYS = 10_000


class Admission:
    """The requests that are being served, and for whom.

    A request of a known key first waits for its account's turn, then, if it changes something, for
    one of the connections that such requests may use, then for its place in the process. So an
    account that is stuck holds up itself, and a fifth of the connections is left for looking up
    keys and for reads.
    """

    def __init__(self, settings: Settings) -> None:
        http, connections = settings.http, settings.db.pool_size + settings.db.max_overflow
        most = http.max_in_flight or 4 * connections
        self._most_waiting = 10 * most
        self._queue_timeout = http.queue_timeout
        self._in_flight = self._slots(most)
        self._writing = self._slots(max(1, connections - max(1, connections // 5)))
        self._of_account = http.account_in_flight or max(1, connections // 2)
        self._accounts: dict[UUID, Slots] = {}
        self._waiting_for_turn = 0
        self._known: dict[bytes, UUID] = {}  # of a key's hash, its account
        self._key_rate = http.key_rate
        self._prefix = f"{settings.slug}:{settings.db_schema}:limits"
        self.shared: SharedRates | None = None
        """The limit of a key in all processes, while there is a Redis to count it."""
        self._by_key = Rates(http.key_rate, 2 * http.key_rate)
        self._by_client = Rates(http.client_rate, 2 * http.client_rate)
        self._unknown_keys = Rates(http.unknown_keys / 60, http.unknown_keys)
        self._log = RefusalLog()
        self._refused: Counter[str] = Counter()
        self._refused_before: Counter[str] = Counter()

    def share(self, redis: Redis, is_down: Callable[[], bool]) -> None:
        """Have Redis count how often each key is used in all processes, unless it `is_down`."""
        if self._key_rate:
            self.shared = SharedRates(redis, self._prefix, self._key_rate, is_down)

    def refusal_of(self, scope: Scope, caller: Caller) -> Refusal | None:
        """Return why the request is refused, if that is known at once. It is noted then."""
        found = self._refusal_of(scope, caller)
        if found is not None:
            self._note(found, caller)
        return found

    def has_to_ask(self, caller: Caller) -> bool:
        """Tell whether the key may not be used once more before Redis was asked."""
        if self.shared is None or caller.key not in self._known:
            return False
        return self.shared.take(caller.key) != 0

    async def ask(self, scope: Scope, caller: Caller) -> Refusal | None:
        """Return why the request is refused, if its key is used too often in all processes.

        `has_to_ask` has told so. The answer takes its time, in which others may have come.
        """
        seconds = await self.shared.ask(caller.key) if self.shared is not None else 0
        if seconds:
            found: Refusal | None = refusal("key", seconds)
        else:
            found = self._without_room(scope, self._known.get(caller.key))
        if found is not None:
            self._note(found, caller)
        return found

    async def admit(self, scope: Scope, caller: Caller) -> None:
        """Return when the request may be served. Raises TradingException for one that may not.

        `refusal_of` has found nothing against it just now; `leave` has to follow in any case.
        """
        caller.refuse_if_late()
        account = self._known.get(caller.key)
        if account is not None:
            await self._take_turn(account, caller)
        for slots in self._places(scope):
            if slots.take_now():
                caller.slots.append(slots)
            else:
                await self._wait(slots, caller, "overload")

    def leave(self, caller: Caller) -> None:
        """Let others have what the request held."""
        caller.give_back()
        account = caller.account
        if account in self._accounts and not self._accounts[account].used:
            del self._accounts[account]

    def may_look_up(self, request: HTTPConnection) -> bool:
        """Tell whether the request's key may be looked up: not after too many unknown ones."""
        caller = caller_of(request.scope)
        is_known = caller.key in self._known
        return is_known or not self._unknown_keys.wait_of(neighbourhood(caller.address))

    def key_unknown(self, request: HTTPConnection) -> None:
        """Note that there is no such key as the request has sent."""
        caller = caller_of(request.scope)
        self._known.pop(caller.key, None)
        self._unknown_keys.note(neighbourhood(caller.address))
        KEYS_REFUSED.inc()

    async def key_known(self, request: HTTPConnection, key_id: UUID, account_id: UUID) -> None:
        """Note whose key the request has sent; wait for that account's turn if it has not had it.

        Raises TradingException RATE_LIMITED.
        """
        request.state.key_id, request.state.account_id = key_id, account_id
        caller = caller_of(request.scope)
        if caller.key not in self._known and len(self._known) >= _KNOWN_KEYS:
            del self._known[next(iter(self._known))]
        self._known[caller.key] = account_id
        if caller.account is None:
            if not self._has_turn_for(account_id):
                self._refuse("account")
            await self._take_turn(account_id, caller)

    def check(self, alerts: Alerts) -> None:
        """Tell `alerts` what was refused since the last time. Called every few seconds."""
        self._log.tell_the_rest()
        news = self._refused - self._refused_before
        self._refused_before = self._refused.copy()
        for reason, (key, begun, over) in _ALERTS.items():
            if news[reason]:
                alerts.fire(Alert(key, begun, {"refused": news[reason], **self._figures()}))
            else:
                alerts.resolve(key, over)

    def _note(self, found: Refusal, caller: Caller) -> None:
        self._count(found.reason)
        self._log.note(found.reason, caller.address, self._known.get(caller.key))

    def _figures(self) -> dict[str, int]:
        return {"in_flight": self._in_flight.used, "at_most": self._in_flight.limit}

    def _slots(self, limit: int) -> Slots:
        return Slots(limit, self._most_waiting)

    def _refusal_of(self, scope: Scope, caller: Caller) -> Refusal | None:
        account = self._known.get(caller.key)
        if caller.key and (found := self._too_frequent(caller, is_known=account is not None)):
            return found
        return self._without_room(scope, account)

    def _without_room(self, scope: Scope, account: UUID | None) -> Refusal | None:
        for slots in self._places(scope):
            if not slots.has_room(self._queue_timeout, self._waiting_for_turn):
                return refusal("overload")  # and not after it has waited for its turn
        return None if account is None or self._has_turn_for(account) else refusal("account")

    def _has_turn_for(self, account: UUID) -> bool:
        slots = self._accounts.get(account)
        return slots is None or slots.has_room(self._queue_timeout)

    def _places(self, scope: Scope) -> tuple[Slots, ...]:
        if scope["method"] == "OPTIONS":  # which a browser asks before; it costs nothing
            return ()
        is_reading = scope["method"] in _READING
        return (self._in_flight,) if is_reading else (self._writing, self._in_flight)

    def _too_frequent(self, caller: Caller, *, is_known: bool) -> Refusal | None:
        client = neighbourhood(caller.address)
        if client and (seconds := self._by_client.take(client)):
            return refusal("client", seconds)
        if is_known:
            if seconds := self._by_key.take(caller.key):
                return refusal("key", seconds)
        elif seconds := self._unknown_keys.wait_of(client):
            return refusal("unknown_keys", seconds)
        return None

    async def _take_turn(self, account: UUID, caller: Caller) -> None:
        slots = self._accounts.get(account)
        if slots is None:
            slots = self._accounts[account] = self._slots(self._of_account)
        caller.account = account
        if slots.take_now():
            caller.slots.append(slots)
            return
        self._waiting_for_turn += 1
        try:
            await self._wait(slots, caller, "account")
        finally:
            self._waiting_for_turn -= 1

    async def _wait(self, slots: Slots, caller: Caller, reason: str) -> None:
        with WAITING.track_inprogress():
            is_taken = await slots.take(caller.patience(self._queue_timeout))
        if not is_taken:
            self._refuse(reason)
        caller.slots.append(slots)
        caller.refuse_if_unwanted()

    def _refuse(self, reason: str) -> NoReturn:
        self._count(reason)
        raise refusal(reason).as_exception()

    def _count(self, reason: str) -> None:
        _SHED[reason].inc()
        self._refused[reason] += 1


_SHED = {reason: SHED.labels(reason) for reason in REASONS}
_ALERTS = {
    # Key, title, and title of the end.
    "overload": (
        "requests:refused",
        "Requests are refused: more come than can be served",
        "Requests are no longer refused",
    ),
    "unknown_keys": (
        "keys:unknown",
        "A client tries one unknown API key after the other",
        "No client tries unknown API keys any more",
    ),
}
