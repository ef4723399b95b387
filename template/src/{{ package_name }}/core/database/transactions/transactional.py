"""The three ways to ask for a transaction, and `after_commit`."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from itertools import count
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar, TypeVarTuple

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from .blocks import Block, Part, Savepoint, innermost_block
from .callbacks import Callback
from .guards import TransactionUsageError
from .options import IsolationLevel, Nested, Options, options_of
from .retry import Retry, RetryableTransactionError, before_next_attempt
from .transaction import Transaction

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

Source: TypeAlias = AsyncSession | async_sessionmaker[AsyncSession]
"""A session, or what makes one for each attempt."""


def session_of(source: Source) -> AbstractAsyncContextManager[AsyncSession]:
    """Return the session, or a new one, which is closed at the end of the block."""
    return nullcontext(source) if isinstance(source, AsyncSession) else source()


def info_of(source: Source) -> dict[Any, Any]:
    """Return the `info` of a session, or that of each session that will be made."""
    if isinstance(source, AsyncSession):
        return source.info
    info: dict[Any, Any] = source.kw.get("info") or {}
    return info


class transactional:  # noqa: N801  # read as a verb, like contextlib's
    """Commit what the block does, or undo all of it.

    How the block of `async with` ends, and what follows:

    - It succeeds: committed. What the session did before in the same transaction is part of it.
    - It raises: rolled back, and the very same exception goes on to the caller.
    - COMMIT fails, say by a deferred constraint: rolled back, and the database's error is raised.
    - The connection is lost during COMMIT: CommitOutcomeUnknownError. With `verify_commit` a new
      connection asks the server, for one more round trip in each transaction: the block then
      succeeds, or fails as rolled back.
    - It is cancelled: rolled back. Cancelled during COMMIT: that is finished first, and the log
      says how it ended.

    Inside another `transactional()` of the same session it is a savepoint: its failure, if the
    caller handles it, leaves the outer block's work alone, and nothing is committed before the
    outer block is. With `nested="join"` it is part of the outer block and has no failure of its
    own: if the outer block goes on nevertheless, that raises TransactionUsageError in the end and
    is rolled back. `durable=True` refuses to be inside another.

    `isolation_level` and `read_only` hold for this transaction only. They need to be asked for by
    the outermost block and before the session's first statement.

    `retry_on_deadlock`, True or a Retry, is for the outermost block. It says that what failed by a
    conflict (a deadlock, a serialization failure) shall run again:

    - As a decorator it runs the function again, each time with a new session, or, where it was
      given a session, with that one emptied. The function's first argument is the session.
    - In a handler of a `ServiceRouter`, or of the app itself, the request is replayed.
    - In a block elsewhere, which can't be run twice: RetryableTransactionError.

    Any AsyncSession will do, of whatever `async_sessionmaker`, as long as it has one engine.

    Raises TransactionUsageError for what is named above, and for a commit(), rollback() or close()
    of the session inside the block.
    """

    def __init__(
        self,
        session: Source,
        *,
        isolation_level: IsolationLevel | str | None = None,
        read_only: bool = False,
        retry_on_deadlock: bool | Retry = False,
        nested: Nested = "savepoint",
        durable: bool = False,
        verify_commit: bool = False,
    ) -> None:
        self._source = session
        self._options = options_of(
            isolation_level=isolation_level,
            read_only=read_only,
            retry_on_deadlock=retry_on_deadlock,
            nested=nested,
            durable=durable,
            verify_commit=verify_commit,
        )

    async def __aenter__(self) -> AsyncSession:
        session = self._source
        if not isinstance(session, AsyncSession):
            raise TypeError("`async with transactional(...)` needs a session")
        return await _block(session, self._options).__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert isinstance(self._source, AsyncSession)
        block = innermost_block(self._source)
        assert block is not None
        await block.__aexit__(kind, error, traceback)

    def __call__(
        self, function: Callable[Concatenate[AsyncSession, P], Awaitable[T]]
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        @functools.wraps(function)
        async def run(*args: P.args, **kwargs: P.kwargs) -> T:
            return await _run(self._source, self._options, lambda tx: function(tx, *args, **kwargs))

        with suppress(TypeError, ValueError):  # some callables have no signature
            run.__signature__ = _without_first(inspect.signature(function))  # type: ignore[attr-defined]
        return run


async def _run(source: Source, options: Options, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """Await `work(tx)` in a transaction, again after a conflict if so asked; return its result."""
    for attempt in count(1):
        try:
            async with _session(source, options) as session, _block(session, options) as tx:
                return await work(tx)
        except RetryableTransactionError as error:
            if options.retry is None or error.final:
                raise
            await before_next_attempt(error, attempt)
    raise AssertionError("unreachable")


def _session(source: Source, options: Options) -> AbstractAsyncContextManager[AsyncSession]:
    """Return the session of one attempt, without anything of an attempt before."""
    if not isinstance(source, AsyncSession):
        return source()
    if options.retry is None:
        return nullcontext(source)
    if source.in_transaction() and innermost_block(source) is None:
        raise TransactionUsageError(
            "the session is in a transaction already, which can't be repeated"
        )
    return _Emptied(source)


def _block(session: AsyncSession, options: Options) -> Block:
    """Return the block for `options`. Raises TransactionUsageError for what it can't be inside."""
    outer = innermost_block(session)
    if outer is None:
        return Transaction(session, options)
    if options.durable:
        raise TransactionUsageError("a durable transaction can't be inside another")
    if options.retry:
        raise TransactionUsageError(
            "only the outermost transactional() can be retried: PostgreSQL rolls back all of it"
        )
    if options.isolation_level or options.read_only:
        raise TransactionUsageError(
            "isolation_level and read_only belong to the outermost transactional()"
        )
    return Part(session, outer) if options.nested == "join" else Savepoint(session, outer)


class _Emptied(AbstractAsyncContextManager[AsyncSession]):
    """Lends a session out and empties it after a failure: its objects show what was undone."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def __aenter__(self) -> AsyncSession:
        return self._session

    async def __aexit__(self, _type: Any, error: BaseException | None, _traceback: Any) -> None:
        if isinstance(error, RetryableTransactionError):
            await self._session.close()


def _without_first(signature: inspect.Signature) -> inspect.Signature:
    return signature.replace(parameters=list(signature.parameters.values())[1:])


async def run_in_transaction(
    sessions: async_sessionmaker[AsyncSession],
    function: Callable[[AsyncSession, *Ts], Awaitable[T]],
    *args: *Ts,
    retry: Retry = Retry(),  # noqa: B008  # it can't be changed
    isolation_level: IsolationLevel | str | None = None,
    verify_commit: bool = False,
) -> T:
    """Await `function(tx, *args)` in a transaction of its own, commit, and return its result.

    After a conflict it runs again, with a new session, as `retry` says; after the last attempt
    RetryableTransactionError is raised. Whatever else it raises, and how each attempt ends, is as
    in `transactional()`. So `function` must do nothing that a rollback does not undo: calls of
    other services, messages and files belong after it, or into `after_commit()`.
    """
    options = options_of(
        isolation_level=isolation_level, retry_on_deadlock=retry, verify_commit=verify_commit
    )
    return await _run(sessions, options, lambda tx: function(tx, *args))


def after_commit(tx: Source, callback: Callback) -> None:
    """Call `callback()`, and await what it returns, once the transaction of `tx` is committed.

    It is not called if the transaction, or the savepoint it was registered in, is rolled back, nor
    for an attempt that failed. Callbacks are called in order, each of them once, outside of the
    transaction; an error in one is logged and does no harm to the others. The caller waits for
    them, even if it is cancelled meanwhile: keep them short.

    Outside of any transaction, or for what only makes sessions, it is called at once. Raises
    TransactionUsageError if the session is in a transaction without `transactional()`, whose end
    nobody tells us, and outside of a transaction for an async callback: await that one yourself.
    """
    session = tx if isinstance(tx, AsyncSession) else None
    block = innermost_block(session) if session is not None else None
    if block is not None:
        block.callbacks.append(callback)
    elif session is not None and session.in_transaction():
        raise TransactionUsageError("after_commit() needs a transactional() block")
    elif inspect.iscoroutinefunction(callback):
        raise TransactionUsageError("there is no transaction to wait for; await the callback")
    else:
        callback()
