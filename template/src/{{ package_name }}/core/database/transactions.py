"""Work that happens whole or not at all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncSession

_OPEN = "transactional"


@asynccontextmanager
async def transactional(session: AsyncSession) -> AsyncIterator[AsyncSession]:
    """Commit what the block does, or roll it back and let the block's exception through.

    Inside another `transactional()` of the same session it is a savepoint: a failure that the
    outer block handles undoes the inner block only, and nothing is committed before the outer
    block ends.
    """
    if session.info.get(_OPEN):
        async with session.begin_nested():
            yield session
        return
    session.info[_OPEN] = True
    try:
        yield session
        await session.commit()
    except BaseException:
        await session.rollback()
        raise
    finally:
        del session.info[_OPEN]
