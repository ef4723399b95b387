"""Work of which only so much is done at a time; the rest waits a little, or is refused at once."""

import asyncio
import time
from collections import deque
from contextlib import suppress

_WINDOW = 0.1
"""Seconds over which the pace is measured."""
_FRESH = 1.0
"""Seconds for which the pace is believed when nobody has waited since."""
_SHARE = 0.25
"""Share of their patience that those who may wait are expected to need.

The pace may become a quarter of what it was: who waits should not be refused after all.
"""


class Slots:
    """So many slots for work. Who finds none free waits for one, as long as its patience lasts.

    Who would wait for longer, as fast as slots have been given back of late, is to be refused at
    once, as `has_room` tells: work whose client gives up meanwhile must not keep others from being
    done in time. As many as there are slots may wait in any case. It is asked once: who waits for
    several things, one after the other, is not refused halfway.
    """

    def __init__(self, limit: int, most_waiting: int) -> None:
        self.limit = limit
        self.used = 0
        self._most_waiting = most_waiting
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._pace = 0.0  # seconds from one slot to the next; 0 is not known yet
        self._window_began = 0.0
        self._given_in_window = 0
        self._last_given = 0.0

    def take_now(self) -> bool:
        """Take a slot if one is free. `give_back` has to follow."""
        if self.used >= self.limit:
            return False
        self.used += 1
        return True

    def has_room(self, patience: float, ahead: int = 0) -> bool:
        """Tell whether a slot is free, or who waits for one so many seconds is likely to get it.

        `ahead` are others who will wait for one earlier.
        """
        if self.used < self.limit:
            return True
        count = len(self._waiting)
        if patience <= 0 or count >= self._most_waiting:
            return False
        if count + ahead < self.limit:
            return True
        now = time.monotonic()
        if count:
            expected = max(self._pace * (count + ahead + 1), now - self._last_given)
        elif now - self._window_began > _FRESH:
            return True
        else:
            expected = self._pace * (ahead + 1)
        return expected <= _SHARE * patience

    async def take(self, patience: float) -> bool:
        """Take a slot, or wait for one, so many seconds at most; return whether there was one.

        `give_back` has to follow if there was.
        """
        if self.take_now():
            return True
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        if not self._waiting:
            self._begin_to_measure()
        self._waiting.append(turn)
        timer = loop.call_later(patience, self._give_up, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # its turn came just then
                    self._waiting.remove(turn)
            elif turn.result():
                self.give_back()
            raise
        finally:
            timer.cancel()

    def give_back(self) -> None:
        """Let the one that has waited the longest have the slot."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # it was cancelled, and has not noticed yet
                turn.set_result(True)
                self._measure()
                return
        self.used -= 1

    def _give_up(self, turn: "asyncio.Future[bool]") -> None:
        if not turn.done():
            self._waiting.remove(turn)
            turn.set_result(False)

    def _begin_to_measure(self) -> None:
        now = time.monotonic()
        if now - self._window_began > _FRESH:
            self._pace = 0.0
        self._window_began = self._last_given = now
        self._given_in_window = 0

    def _measure(self) -> None:
        now = self._last_given = time.monotonic()
        self._given_in_window += 1
        elapsed = now - self._window_began
        if elapsed >= _WINDOW:
            self._pace = elapsed / self._given_in_window
            self._window_began, self._given_in_window = now, 0
