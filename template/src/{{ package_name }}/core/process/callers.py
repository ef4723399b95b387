"""The caller of a request: do they still wait for its answer, and what may it go on using?"""

import asyncio
import time
from collections import deque
from types import TracebackType
from typing import Any
from uuid import UUID

from starlette.types import Message, Receive, Scope

from ..errors import ErrorCode, TradingException
from ..errors.middleware import get_request
from .slots import Slots

_CALLER = "caller"
_LOOK_SECONDS = 0.1
_NOTHING = "nothing was done"
_GIVEN_UP = "it was given up, and may have been done: ask for it"


class Caller:
    """The client of a request, in its scope while it is served.

    `deadline` is in seconds since the epoch, NaN if it can't be read: nobody wants an answer
    after it.
    """

    __slots__ = (
        "_kept",
        "_receive",
        "_waits_until",
        "account",
        "address",
        "deadline",
        "is_answered",
        "is_polling",
        "key",
        "slots",
    )

    def __init__(self, receive: Receive, address: str, key: bytes, deadline: float | None) -> None:
        self.address = address
        self.key = key
        """Hash of the header Authorization; empty without one."""
        self.account: UUID | None = None
        """Account whose turn it has; None as long as that is not known."""
        self.deadline = deadline
        self.is_polling = False
        """Set if it asks for what is always answered, such as health."""
        self.is_answered = False
        """Set when the response has begun."""
        self.slots: list[Slots] = []
        """Slots to give back when the request is over."""
        self._waits_until: float | None = None
        self._receive = receive
        self._kept: deque[Message] | None = None

    async def receive(self) -> Message:
        """Receive as the application does."""
        return self._kept.popleft() if self._kept else await self._receive()

    def has_left(self) -> bool:
        """Tell whether the client has closed the connection. It does not wait.

        Not known before the whole body is here: a part of it is all that is looked at.
        """
        if self._kept is None:
            self._kept = deque()
        while not self._kept or _is_whole(self._kept[-1]):
            message = _at_once(self._receive)
            if message is None:
                return False
            self._kept.append(message)
        return bool(self._kept[-1]["type"] == "http.disconnect")

    def patience(self, seconds: float) -> float:
        """Return what is left of so many seconds, which have begun when this was asked first."""
        now = time.monotonic()
        if self._waits_until is None:
            self._waits_until = now + seconds
        return self._waits_until - now

    def refuse_if_unwanted(self, outcome: str = _NOTHING) -> None:
        """Raise TradingException if the client has left, or its deadline has passed.

        `outcome` tells what became of what it asked for.
        """
        self.refuse_if_late(outcome)
        if self.has_left():
            raise TradingException(
                ErrorCode.CLIENT_GONE, f"The client has closed the connection; {outcome}"
            )

    def refuse_if_late(self, outcome: str = _NOTHING) -> None:
        """Raise TradingException DEADLINE_EXCEEDED if the deadline has passed."""
        if self.deadline is not None and (late := time.time() - self.deadline) > 0:
            raise TradingException(
                ErrorCode.DEADLINE_EXCEEDED,
                f"The deadline that the request sets passed {late:.3f} s ago; {outcome}",
            )

    def give_back(self) -> None:
        """Give back every slot that it holds."""
        while self.slots:
            self.slots.pop().give_back()


def caller_of(scope: Scope) -> Caller:
    """Return the caller of the request of that scope."""
    caller: Caller = scope[_CALLER]
    return caller


def set_caller(scope: Scope, caller: Caller) -> None:
    """Have `caller_of` return that caller."""
    scope[_CALLER] = caller


def refuse_if_unwanted(outcome: str = _NOTHING) -> None:
    """Raise TradingException if nobody waits any more for what the current request does.

    `outcome` tells what became of that. What works outside of a request, or after its response has
    begun, is not asked.
    """
    scope = get_request().scope
    caller: Caller | None = scope.get(_CALLER) if scope else None
    if caller is not None and not caller.is_answered:
        caller.refuse_if_unwanted(outcome)


class wanted:  # noqa: N801  # used like a function
    """Do what the block does as long as somebody waits for it; then cancel it.

    Raises TradingException as `refuse_if_unwanted` does, and looks ten times a second.
    """

    # Every order passes here: a generator around `asyncio.timeout` would cost it three times more.
    __slots__ = ("_cancelling", "_loop", "_next_look", "_refusal", "_task")

    async def __aenter__(self) -> None:
        refuse_if_unwanted()
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._refusal: TradingException | None = None
        self._loop = asyncio.get_running_loop()
        self._next_look = self._loop.call_later(_LOOK_SECONDS, self._look)

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._next_look.cancel()
        if self._refusal is None:
            return
        is_from_others = self._task.uncancel() > self._cancelling
        if error is None or (is_from_others and isinstance(error, asyncio.CancelledError)):
            return
        raise self._refusal from error

    def _look(self) -> None:
        try:
            refuse_if_unwanted(_GIVEN_UP)
        except TradingException as refusal:
            self._refusal = refusal
            self._task.cancel()
        else:
            self._next_look = self._loop.call_later(_LOOK_SECONDS, self._look)


def _is_whole(message: Message) -> bool:
    """Tell whether the end of the connection is what comes next."""
    return message["type"] == "http.request" and not message.get("more_body", False)


def _at_once(receive: Receive) -> Message | None:
    """Return the next message if it is there already. A server only waits for it."""
    steps: Any = receive().__await__()
    try:
        next(steps)
    except StopIteration as done:
        message: Message = done.value
        return message
    steps.close()
    return None
