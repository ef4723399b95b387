"""Managing strategies: making them, and changing their settings.

Each change is a transaction with an entry of the audit; the replica that runs the strategy, or
will, sees it when it looks the next time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ...core.config import Settings
from ...core.database.transactions import transactional
from ...core.errors import TradingException
from ...core.errors.middleware import get_request_id
from ...exchanges.settings import ExchangeSettings
from ...market.candles import Timeframe
from ...market.instruments import Instrument, get_instrument
from ...trading import audit
from ..checking import check, in_words
from ..finding import find_kinds
from ..strategy import Config, Fault, Plan, Strategy
from .codes import StrategyErrorCode
from .model import Instance, ParamsVersion
from .queries import get_instance
from .settings import StrategySettings
from .stepping import Fees, market_of
from .thinking import StrategyError, think

T = TypeVar("T")


@dataclass(frozen=True)
class Rules:
    """Terms for settings to be checked: fees, and the seconds that a strategy may think of them."""

    fees: Fees
    seconds: float


@dataclass(frozen=True)
class StrategyRequest:
    """A strategy as somebody wants it."""

    kind: str
    name: str
    symbol: str
    timeframe: Timeframe
    params: Mapping[str, Any]


def rules_of(settings: Settings) -> Rules:
    """Return the rules of this service."""
    assert isinstance(settings, ExchangeSettings)
    assert isinstance(settings, StrategySettings)
    fees = Fees(settings.paper.maker_fee, settings.paper.taker_fee)
    return Rules(fees, settings.strategies.step_timeout)


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


async def checked_config(
    strategy: Strategy[Any, Any],
    params: Mapping[str, Any],
    instrument: Instrument,
    timeframe: Timeframe,
    price: Decimal | None,
    rules: Rules,
    version: int = 1,
) -> Config[Any]:
    """Return what a strategy with these settings knows of its market.

    Raises TradingException INVALID_STRATEGY_PARAMS with every fault there is.
    """
    market = market_of(instrument, rules.fees)
    config, faults = await _thought(
        rules, lambda: check(strategy, params, market, timeframe.seconds, price, version)
    )
    if config is None:
        raise _invalid(faults)
    return config


async def _thought(rules: Rules, function: Callable[[], T]) -> T:
    """Return what the strategy's own code says, in the time that a step has.

    Raises TradingException INVALID_STRATEGY_PARAMS if it fails.
    """
    try:
        return await think(rules.seconds, function)
    except StrategyError as error:
        raise _invalid([Fault("", f"the strategy has failed with these: {error}")]) from error


def _invalid(faults: list[Fault]) -> TradingException:
    shown = [
        {"param": fault.param, "message": fault.message, "code": fault.code} for fault in faults
    ]
    said = in_words(faults)
    return TradingException(StrategyErrorCode.INVALID_STRATEGY_PARAMS, said, {"faults": shown})


async def planned(
    session: AsyncSession, request: StrategyRequest, price: Decimal | None, rules: Rules
) -> Plan | None:
    """Return what the strategy would do now; None where there is no price to plan by.

    Raises TradingException as `create_strategy` does.
    """
    strategy = kind_of(request.kind)
    instrument = await get_instrument(session, request.symbol)
    config = await checked_config(
        strategy, request.params, instrument, request.timeframe, price, rules
    )
    if price is None:
        return None
    return await _thought(rules, lambda: strategy.plan(config, price))


async def create_strategy(
    session: AsyncSession,
    account_id: UUID,
    request: StrategyRequest,
    price: Decimal | None,
    rules: Rules,
    actor: str,
) -> Instance:
    """Create a strategy, which does nothing until it is started.

    Raises TradingException: STRATEGY_KIND_NOT_FOUND, INSTRUMENT_NOT_FOUND,
    INVALID_STRATEGY_PARAMS, STRATEGY_EXISTS.
    """
    strategy = kind_of(request.kind)
    instrument = await get_instrument(session, request.symbol)
    config = await checked_config(
        strategy, request.params, instrument, request.timeframe, price, rules
    )
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


# --- Its settings --------------------------------------------------------------------------------


async def change_params(
    session: AsyncSession,
    account_id: UUID,
    strategy_id: UUID,
    params: Mapping[str, Any],
    price: Decimal | None,
    rules: Rules,
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
        config = await checked_config(
            strategy, params, instrument, instance.timeframe, price, rules, version
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
