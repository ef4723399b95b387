"""Trading that goes on while the database is in trouble, and what came of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import httpx
from audit import audit
from load import Load, Request, between, longest_gap
from servers import Servers
from table import Row, answers_of

BEFORE, AFTER = 1.5, 4.0
RECOVERY = 2.0
"""Seconds after the end of the trouble, within which a request may still be refused."""
EXPECTED = {"SERVICE_UNAVAILABLE", "OVERLOADED", "RATE_LIMITED", "OUTCOME_UNKNOWN"}
"""Codes of problems that a client may be told meanwhile: send it again, or look what became."""


@dataclass
class Course:
    """What was asked before, during and after the trouble. Times are of `time.perf_counter()`."""

    requests: list[Request]
    begin: float = 0
    mended: float = 0
    """The servers were well from then on."""
    end: float = 0
    words: list[str] = field(default_factory=list)
    """What `/health/db` said during the trouble, each time it said another thing."""
    was_always_ready: bool = True
    """During the trouble, by `/health/ready`."""
    last_word: str = ""
    """What `/health/db` said at last, after some seconds."""

    @property
    def meanwhile(self) -> list[Request]:
        return between(self.requests, self.begin, self.mended)

    @property
    def late(self) -> list[Request]:
        """What was not served although all should have been well: asked then, or refused then."""
        since = self.mended + RECOVERY
        return [
            request
            for request in self.requests
            if not request.is_success
            and (
                request.sent > since or (request.status and request.sent + request.latency > since)
            )
        ]

    @property
    def seconds_to_success(self) -> float:
        """Seconds from the end of the trouble to the first success."""
        answers = [r.sent + r.latency for r in self.requests if r.is_success]
        return min((at for at in answers if at > self.mended), default=self.end) - self.mended

    async def row(self, fault: str, at: Servers, courses: Sequence["Course"] = ()) -> Row:
        """Return the row of the table. `courses` are all that were asked of these servers."""
        asked = [request for course in courses or [self] for request in course.requests]
        row = Row(
            f"{fault}, {self.mended - self.begin:.1f} s",
            answers_of(self.meanwhile),
            longest_gap(self.requests, self.begin, self.end),
            await audit(at, asked),
        )
        ready = "always" if self.was_always_ready else "not always"
        row.figures["health meanwhile"] = f"{', '.join(self.words)}; {ready} ready"
        row.expect(self.last_word == "healthy", f"healthy again, not {self.last_word}")
        codes = {request.code for request in self.requests if request.status >= 400}
        row.expect(codes <= EXPECTED, f"no problem but {', '.join(sorted(EXPECTED))}, not {codes}")
        row.expect(
            not self.late, f"each request served from {RECOVERY:.0f} s after, not {len(self.late)}"
        )
        return row


async def trade_through(
    load: Load, trouble: Callable[[], Awaitable[None]], clients: int = 6
) -> Course:
    """Trade while `trouble` breaks something and mends it, and for some seconds around it."""
    course = Course(load.book.requests)
    is_over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(_trade(load, is_over))
        try:
            await asyncio.sleep(BEFORE)
            watching = group.create_task(_watch(load.port, course))
            course.begin = time.perf_counter()
            await trouble()
            course.mended = time.perf_counter()
            watching.cancel()
            await asyncio.sleep(AFTER)
            course.end = time.perf_counter()
        finally:
            is_over.set()
    # With as many clients as before, its connections are nearly all in use: that is degraded, too.
    course.last_word = await _word_at_last(load.port)
    return course


async def _trade(load: Load, is_over: asyncio.Event) -> None:
    while not is_over.is_set():
        await load.closed(1, 0.5, pause=0.1)  # less than Retry-After, to see more answers


async def _watch(port: int, course: Course) -> None:
    """Note what the probes say, until it is cancelled."""
    async with _asking(port) as client:
        while True:
            if (word := await _word(client)) not in course.words[-1:]:
                course.words.append(word)
            course.was_always_ready &= (await client.get("/health/ready")).is_success
            await asyncio.sleep(0.5)


def _asking(port: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}")


async def _word_at_last(port: int) -> str:
    word = ""
    async with _asking(port) as client:
        for _ in range(20):  # a probe may be late on a machine with much to do
            if (word := await _word(client)) == "healthy":
                break
            await asyncio.sleep(0.5)
    return word


async def _word(client: httpx.AsyncClient) -> str:
    return str((await client.get("/health/db")).json()["status"])
