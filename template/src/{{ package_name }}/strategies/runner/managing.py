"""Managing strategies: making, starting, pausing, resuming and stopping them, and their settings.

Each change is a transaction with an entry of the audit; the replica that runs the strategy, or
will, sees it when it looks the next time.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from ...core.database.transactions import transactional
from ...core.errors import TradingException
from ...core.errors.middleware import get_request_id
from ...market.candles import Timeframe
from ...market.instruments import Instrument, get_instrument
from ...trading import audit
from ..checking import check, in_words
from ..finding import find_kinds
from ..strategy import Config, Fault, Plan, Strategy
from .acting import set_status
from .codes import StrategyErrorCode
from .model import Desired, Instance, ParamsVersion, Status, StopMode
from .queries import get_instance
from .settings import RunnerSettings
from .stepping import Fees, market_of

_LEFT: Final = (Status.FAILED, Status.STOP_INCOMPLETE)
"""Of an instance that nobody runs, and that may have something open."""


@dataclass(frozen=True)
class StrategyRequest:
    """A strategy as somebody wants it."""

    kind: str
    name: str
    symbol: str
    timeframe: Timeframe
    params: Mapping[str, Any]


def kind_of(name: str) -> Strategy[Any, Any]:
    """Return the kind of that name. Raises TradingException STRATEGY_KIND_NOT_FOUND."""
    kinds = find_kinds()
    if name not in kinds:
        raise TradingException(
            StrategyErrorCode.STRATEGY_KIND_NOT_FOUND,
            f"There is no kind of strategy {name!r}; there is: {', '.join(kinds)}",
            {"kind": name, "kinds": list(kinds)},
        )
    return kinds[name]


def checked_config(
    strategy: Strategy[Any, Any],
    params: Mapping[str, Any],
    instrument: Instrument,
    timeframe: Timeframe,
    fees: Fees,
    price: Decimal | None,
    version: int = 1,
) -> Config[Any]:
    """Return what a strategy with these settings knows of its market.

    Raises TradingException INVALID_STRATEGY_PARAMS with every fault there is.
    """
    market = market_of(instrument, fees)
    config, faults = check(strategy, params, market, timeframe.seconds, price, version)
    if config is None:
        raise _invalid(faults)
    return config


def _invalid(faults: list[Fault]) -> TradingException:
    shown = [
        {"param": fault.param, "message": fault.message, "code": fault.code} for fault in faults
    ]
    said = in_words(faults)
    return TradingException(StrategyErrorCode.INVALID_STRATEGY_PARAMS, said, {"faults": shown})


async def planned(
    session: AsyncSession, request: StrategyRequest, fees: Fees, price: Decimal | None
) -> Plan | None:
    """Return what the strategy would do now; None where there is no price to plan by.

    Raises TradingException as `create_strategy` does.
    """
    strategy = kind_of(request.kind)
    instrument = await get_instrument(session, request.symbol)
    config = checked_config(strategy, request.params, instrument, request.timeframe, fees, price)
    return None if price is None else strategy.plan(config, price)


async def create_strategy(
    session: AsyncSession,
    account_id: UUID,
    request: StrategyRequest,
    fees: Fees,
    price: Decimal | None,
    actor: str,
) -> Instance:
    """Create a strategy, which does nothing until it is started.

    Raises TradingException: STRATEGY_KIND_NOT_FOUND, INSTRUMENT_NOT_FOUND,
    INVALID_STRATEGY_PARAMS, STRATEGY_EXISTS.
    """
    strategy = kind_of(request.kind)
    instrument = await get_instrument(session, request.symbol)
    config = checked_config(strategy, request.params, instrument, request.timeframe, fees, price)
    params = config.params.model_dump(mode="json")
    async with transactional(session, nested="join"):
        values = {
            "account_id": account_id,
            "name": request.name,
            "kind": request.kind,
            "symbol": request.symbol,
            "timeframe": request.timeframe,
            "params": params,
        }
        instance: Instance | None = await session.scalar(
            insert(Instance)
            .values(**values)
            .on_conflict_do_nothing(index_elements=["account_id", "name"])
            .returning(Instance)
        )
        if instance is None:
            raise TradingException(
                StrategyErrorCode.STRATEGY_EXISTS,
                f"The account has a strategy {request.name!r} already",
                {"name": request.name},
            )
        await _add_version(session, instance, params, actor)
        await audit.note(
            session,
            account_id=account_id,
            actor=actor,
            action="strategy.create",
            before=None,
            after={**values, "account_id": str(account_id)},
        )
    return instance


# --- Its condition -------------------------------------------------------------------------------


async def start(session: AsyncSession, account_id: UUID, strategy_id: UUID, actor: str) -> Instance:
    """Have the strategy run. One that runs already goes on; one that is paused stays so.

    Raises TradingException STRATEGY_NOT_FOUND, STRATEGY_STOPPING or SYMBOL_HAS_STRATEGY.
    """
    async with transactional(session, nested="join"):
        instance = await get_instance(session, account_id, strategy_id, lock=True)
        _refuse_stopping(instance)
        if instance.is_active:
            return instance
        async with _alone_on_its_symbol(session, instance):
            instance.stop_mode = instance.stop_deadline = None
            instance.errors, instance.errors_since = 0, None
            await set_status(session, instance, Status.STARTING, "", actor, Desired.RUNNING)
    return instance


@asynccontextmanager
async def _alone_on_its_symbol(session: AsyncSession, instance: Instance) -> AsyncIterator[None]:
    """Have the strategy become active. Raises TradingException SYMBOL_HAS_STRATEGY."""
    symbol = instance.symbol
    try:
        async with transactional(session):
            yield
            await session.flush()
    except IntegrityError:
        raise TradingException(
            StrategyErrorCode.SYMBOL_HAS_STRATEGY,
            f"Another strategy of the account trades {symbol} now",
            {"symbol": symbol},
        ) from None


async def pause(session: AsyncSession, account_id: UUID, strategy_id: UUID, actor: str) -> Instance:
    """Have the strategy open no position; it still leaves them, and counter orders go on."""

    def change(instance: Instance) -> Status:
        return instance.status if instance.status is Status.STARTING else Status.PAUSED

    return await _change(session, account_id, strategy_id, actor, Desired.PAUSED, change)


async def resume(
    session: AsyncSession, account_id: UUID, strategy_id: UUID, actor: str
) -> Instance:
    """Have a paused strategy open positions again."""

    def change(instance: Instance) -> Status:
        return instance.status if instance.status is Status.STARTING else Status.RUNNING

    return await _change(session, account_id, strategy_id, actor, Desired.RUNNING, change)


async def _change(
    session: AsyncSession,
    account_id: UUID,
    strategy_id: UUID,
    actor: str,
    desired: Desired,
    status_of: Callable[[Instance], Status],
) -> Instance:
    async with transactional(session, nested="join"):
        instance = await get_instance(session, account_id, strategy_id, lock=True)
        _refuse_stopping(instance)
        if not instance.is_active:
            raise TradingException(
                StrategyErrorCode.STRATEGY_NOT_RUNNING,
                f"The strategy is {instance.status.value}; start it first",
                {"status": instance.status.value},
            )
        if instance.desired is not desired:
            await set_status(session, instance, status_of(instance), "", actor, desired)
        return instance


def _refuse_stopping(instance: Instance) -> None:
    if instance.status is Status.STOPPING:
        raise TradingException(
            StrategyErrorCode.STRATEGY_STOPPING, "The strategy is being stopped; wait until it is"
        )


async def stop(
    session: AsyncSession,
    account_id: UUID,
    strategy_id: UUID,
    mode: StopMode,
    actor: str,
    settings: RunnerSettings,
) -> Instance:
    """Have the strategy stop; what it has open ends as `mode` says, before the deadline.

    One that does not run is stopped already, but for what has failed, or is left of a stop that was
    incomplete. Asked again while it stops, the mode is the new one.

    Raises TradingException STRATEGY_NOT_FOUND, or SYMBOL_HAS_STRATEGY where something is left to
    end, and another strategy trades the instrument.
    """
    async with transactional(session, nested="join"):
        instance = await get_instance(session, account_id, strategy_id, lock=True)
        if not instance.is_active:
            if mode is StopMode.KEEP and instance.status is not Status.STOPPED:
                await set_status(session, instance, Status.STOPPED, "", actor, Desired.STOPPED)
            if instance.status not in _LEFT:
                return instance
        async with _alone_on_its_symbol(session, instance):
            if instance.status is not Status.STOPPING:
                now = (await session.scalars(select(func.clock_timestamp()))).one()
                instance.stop_deadline = now + timedelta(seconds=settings.stop_timeout)
            instance.stop_mode = mode
            reason = f"stop was asked for, mode {mode.value}"
            await set_status(session, instance, Status.STOPPING, reason, actor, Desired.STOPPED)
        return instance


# --- Its settings --------------------------------------------------------------------------------


async def change_params(
    session: AsyncSession,
    account_id: UUID,
    strategy_id: UUID,
    params: Mapping[str, Any],
    fees: Fees,
    price: Decimal | None,
    actor: str,
) -> Instance:
    """Give the strategy other settings, as a new version; they hold from its next cycle on.

    The same settings again are no new version. Raises TradingException STRATEGY_NOT_FOUND,
    INVALID_STRATEGY_PARAMS, or STRATEGY_PARAMS_FIXED for what can't be changed while it runs.
    """
    async with transactional(session, nested="join"):
        instance = await get_instance(session, account_id, strategy_id, lock=True)
        strategy = kind_of(instance.kind)
        instrument = await get_instrument(session, instance.symbol)
        version = instance.params_version + 1
        config = checked_config(
            strategy, params, instrument, instance.timeframe, fees, price, version
        )
        new = config.params.model_dump(mode="json")
        before = instance.params
        changed = {name for name in before.keys() | new if before.get(name) != new.get(name)}
        if not changed:
            return instance
        fixed = sorted(changed & strategy.fixed)
        if fixed and (instance.is_active or instance.state is not None):
            raise TradingException(
                StrategyErrorCode.STRATEGY_PARAMS_FIXED,
                f"{', '.join(fixed)} can't be changed while it runs: stop it, and create another",
                {"params": fixed},
            )
        instance.params, instance.params_version = new, version
        await _add_version(session, instance, new, actor)
        await audit.note(
            session,
            account_id=account_id,
            actor=actor,
            action="strategy.params",
            before={name: before.get(name) for name in sorted(changed)},
            after={name: new.get(name) for name in sorted(changed)},
        )
        return instance


def params_in_use(instance: Instance) -> dict[str, Any]:
    """Return its settings, without those that its kind has no more."""
    known = kind_of(instance.kind).params_type.model_fields
    return {name: value for name, value in instance.params.items() if name in known}


async def _add_version(
    session: AsyncSession, instance: Instance, params: dict[str, Any], actor: str
) -> None:
    row = ParamsVersion(
        account_id=instance.account_id,
        strategy_id=instance.id,
        version=instance.params_version,
        params=params,
        changed_by=actor,
        request_id=get_request_id() or None,
    )
    session.add(row)
    await session.flush()
