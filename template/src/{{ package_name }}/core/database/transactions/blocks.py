"""A `transactional()` block, and its kinds inside another: a savepoint, a part of that one."""

from abc import ABC, abstractmethod
from types import TracebackType

from sqlalchemy.ext.asyncio import AsyncSession

from .callbacks import Callback
from .cancellation import to_the_end
from .guards import BLOCKS, TransactionUsageError


class Block(ABC):
    """A block of a session: `async with` it. Its work is kept at the end, or undone by an error."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.callbacks: list[Callback] = []
        """Run once the work is committed."""
        self.failed_part: BaseException | None = None
        """The error of a block that joined this one."""

    async def __aenter__(self) -> AsyncSession:
        await self._begin()
        self.session.info.setdefault(BLOCKS, []).append(self)
        return self.session

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.session.info[BLOCKS].pop()
        if error is not None:
            await self._undo(error)
        elif self.failed_part is not None:
            refusal = TransactionUsageError(
                "a block that joined this one has failed, so that this one can't be kept; "
                "use a savepoint for what may fail"
            )
            await self._undo(refusal)
            raise refusal from self.failed_part
        else:
            await self._keep()

    @abstractmethod
    async def _begin(self) -> None: ...

    @abstractmethod
    async def _keep(self) -> None:
        """Keep the work of the block, or undo it and raise the error that prevents it."""

    @abstractmethod
    async def _undo(self, error: BaseException) -> None:
        """Undo the work of the block because of `error`, which is raised afterwards."""


def innermost_block(session: AsyncSession) -> Block | None:
    """Return the innermost block that the session is in, if it is in one."""
    blocks: list[Block] = session.info.get(BLOCKS) or []
    return blocks[-1] if blocks else None


class Savepoint(Block):
    """An inner block that can fail by itself."""

    def __init__(self, session: AsyncSession, outer: Block) -> None:
        super().__init__(session)
        self._outer = outer

    async def _begin(self) -> None:
        self._savepoint = await self.session.begin_nested()

    async def _keep(self) -> None:
        try:
            await self._savepoint.commit()
        except BaseException as error:
            await self._undo(error)
            raise
        self._outer.callbacks += self.callbacks

    async def _undo(self, error: BaseException) -> None:
        # Unlike rollback() it accepts that a lost connection has ended everything already.
        await to_the_end(self._savepoint.__aexit__(type(error), error, None))


class Part(Block):
    """An inner block that fails together with the one around it."""

    def __init__(self, session: AsyncSession, outer: Block) -> None:
        super().__init__(session)
        self._outer = outer

    async def _begin(self) -> None:
        pass

    async def _keep(self) -> None:
        self._outer.callbacks += self.callbacks

    async def _undo(self, error: BaseException) -> None:
        self._outer.failed_part = self.failed_part or error
