"""Backtests beside the requests: each in a process of its own, so many at once.

They are kept in the memory, and their files in a temporary folder, of the process that took them:
another replica does not know them, and with the process they are gone. Run again they have the
same result, to the digit.
"""

import asyncio
import json
import pickle
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import UUID

from ..core.api.resources import Resources
from ..core.database.tables import new_id
from ..core.errors import TradingException
from ..market.candles import Candles
from .codes import BacktestErrorCode
from .settings import BacktestLimits, BacktestSettings
from .terms import Backtest
from .worker import REQUEST, Request

MOST_WAITING: Final = 10
MOST_CANDLES: Final = 1_000_000

Read = Callable[[], Awaitable[Candles]]
"""Reads the candles, once it is their turn. Raises TradingException."""


class JobStatus(StrEnum):
    """State of a backtest."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(eq=False)
class Job:
    """A backtest that was asked for. `done` counts candles of `candles`."""

    id: UUID
    account_id: UUID
    backtest: Backtest
    begin: datetime
    end: datetime
    folder: Path
    status: JobStatus = JobStatus.QUEUED
    reason: str = ""
    candles: int = 0
    done: int = 0
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    result: dict[str, Any] | None = None
    task: asyncio.Task[None] | None = None

    @property
    def is_over(self) -> bool:
        return self.status not in {JobStatus.QUEUED, JobStatus.RUNNING}


class Jobs:
    """The backtests of this process, the oldest first."""

    def __init__(self, settings: BacktestLimits, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._jobs: dict[UUID, Job] = {}
        self._turns = asyncio.Semaphore(settings.workers)

    def add(
        self, account_id: UUID, backtest: Backtest, begin: datetime, end: datetime, read: Read
    ) -> Job:
        """Have a backtest run when it is its turn. Raises TradingException TOO_MANY_BACKTESTS."""
        waiting = sum(job.status is JobStatus.QUEUED for job in self._jobs.values())
        if waiting >= MOST_WAITING or not self._settings.workers:
            raise TradingException(
                BacktestErrorCode.TOO_MANY_BACKTESTS,
                "Too many backtests wait for their turn",
                {"waiting": waiting},
                headers={"Retry-After": "10"},
            )
        number = new_id()
        folder = self._folder / str(number)
        folder.mkdir()
        job = Job(number, account_id, backtest, begin, end, folder)
        self._jobs[number] = job
        self._forget_oldest()
        job.task = asyncio.create_task(self._run(job, read))
        return job

    def of(self, account_id: UUID) -> list[Job]:
        """Return the backtests of an account, newest first."""
        return [job for job in reversed(self._jobs.values()) if job.account_id == account_id]

    def get(self, account_id: UUID, number: UUID) -> Job:
        """Return a backtest of the account. Raises TradingException BACKTEST_NOT_FOUND."""
        job = self._jobs.get(number)
        if job is None or job.account_id != account_id:
            raise TradingException(
                BacktestErrorCode.BACKTEST_NOT_FOUND,
                f"There is no backtest {number}; only the process that took it knows it",
                {"backtest_id": str(number)},
            )
        return job

    async def remove(self, job: Job) -> None:
        """Cancel a backtest, or forget its result."""
        self._jobs.pop(job.id, None)
        if job.task:
            job.task.cancel()
            with suppress(asyncio.CancelledError):
                await job.task
        await asyncio.to_thread(shutil.rmtree, job.folder, ignore_errors=True)

    async def close(self) -> None:
        for job in list(self._jobs.values()):
            await self.remove(job)

    # --- How -------------------------------------------------------------------------------------

    def _forget_oldest(self) -> None:
        over = [job for job in self._jobs.values() if job.is_over]
        for job in over[: max(0, len(self._jobs) - self._settings.keep)]:
            del self._jobs[job.id]
            shutil.rmtree(job.folder, ignore_errors=True)

    async def _run(self, job: Job, read: Read) -> None:
        try:
            async with self._turns:
                job.status = JobStatus.RUNNING
                async with asyncio.timeout(self._settings.timeout):
                    candles = await read()
                    job.candles = len(candles)
                    request = Request(job.backtest, candles)
                    await asyncio.to_thread(_store, job.folder / REQUEST, request)
                    del candles, request
                    await self._work(job)
                text = await asyncio.to_thread((job.folder / "result.json").read_text, "utf-8")
            job.result, job.status = json.loads(text), JobStatus.DONE
        except asyncio.CancelledError:
            job.status = JobStatus.CANCELED
            raise
        except TimeoutError:
            limit = f"{self._settings.timeout:g} s"
            job.status, job.reason = JobStatus.FAILED, f"it took longer than {limit}"
        except TradingException as error:
            job.status, job.reason = JobStatus.FAILED, str(error)
        except (_WorkError, OSError) as error:
            job.status, job.reason = JobStatus.FAILED, str(error)

    async def _work(self, job: Job) -> None:
        """Have a process run the backtest, and note how far it is. Raises _WorkError."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"{__package__}.worker",
            str(job.folder),
            str(self._settings.memory * 1024 * 1024),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        said = asyncio.create_task(process.stderr.read())
        try:
            async for line in process.stdout:
                job.done = int(line)
            if await process.wait():
                lines = (await said).decode(errors="replace").strip().splitlines()
                raise _WorkError(lines[-1] if lines else "its process was killed")
        finally:
            said.cancel()
            if process.returncode is None:
                process.kill()
                await process.wait()


class _WorkError(Exception):
    """The process has ended without a result."""


def _store(path: Path, request: Request) -> None:
    path.write_bytes(pickle.dumps(request))


@asynccontextmanager
async def open_backtests(resources: Resources) -> AsyncIterator[Jobs]:
    """Take backtests until the application ends; what runs then is canceled."""
    assert isinstance(resources.settings, BacktestSettings)
    settings = resources.settings.backtest
    with TemporaryDirectory(prefix="backtests-", ignore_cleanup_errors=True) as folder:
        jobs = Jobs(settings, Path(folder))
        try:
            yield jobs
        finally:
            await jobs.close()
