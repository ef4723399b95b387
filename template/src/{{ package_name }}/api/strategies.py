"""`/v1/strategies` and `/v1/strategy-kinds`"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Request, Response

from ..core.api import ServiceRouter, errors
from ..core.api.resources import resource
from ..core.database.session import ReadingSessionDep, SessionDep
from ..core.database.transactions import transactional
from ..market.instruments import InstrumentErrorCode
from ..strategies.finding import find_kinds
from ..strategies.runner import life, managing, measuring, queries, showing
from ..strategies.runner.codes import StrategyErrorCode
from ..strategies.runner.model import Instance, StopMode, StrategyName
from ..strategies.runner.service import Strategies, open_strategies
from ..strategies.strategy import Plan as StrategyPlan
from ..trading.codes import TradingErrorCode
from .security import ReadAccount, TradeAccount, actor_of
from .strategy_schemas import (
    EquityPoint,
    NewParams,
    NewStrategy,
    PlannedOrder,
    StrategyFill,
    StrategyFillPage,
    StrategyKind,
    StrategyKindPage,
    StrategyNote,
    StrategyNotePage,
    StrategyOrder,
    StrategyOrderPage,
    StrategyPage,
    StrategyParams,
    StrategyParamsPage,
    StrategyPerformance,
    StrategyPreview,
    StrategyView,
)

router = ServiceRouter(tags=["strategies"])

StrategiesDep = Annotated[Strategies, Depends(resource(open_strategies))]
_After = Annotated[UUID | None, Query(description="`next_cursor` of the page before")]
_AfterNumber = Annotated[int | None, Query(description="`next_cursor` of the page before")]
_Limit = Annotated[int, Query(ge=1, le=500)]

_NOT_FOUND = StrategyErrorCode.STRATEGY_NOT_FOUND
_WRONG = (
    StrategyErrorCode.STRATEGY_KIND_NOT_FOUND,
    StrategyErrorCode.INVALID_STRATEGY_PARAMS,
    InstrumentErrorCode.INSTRUMENT_NOT_FOUND,
)


# --- Kinds ---------------------------------------------------------------------------------------


@router.get("/strategy-kinds", summary="List the kinds of strategies, and their settings")
async def list_strategy_kinds(_account: ReadAccount) -> StrategyKindPage:
    return StrategyKindPage(
        items=[
            StrategyKind(
                kind=name,
                title=kind.title,
                params=kind.params_type.model_json_schema(),
                fixed=sorted(kind.fixed),
            )
            for name, kind in find_kinds().items()
        ]
    )


# --- Strategies ----------------------------------------------------------------------------------


@router.post(
    "/strategies",
    status_code=201,
    summary="Create a strategy, or see what it would do",
    responses={
        200: {"model": StrategyPreview, "description": "With `dry_run`"},
        **errors(*_WRONG, StrategyErrorCode.STRATEGY_EXISTS),
    },
)
async def create_strategy(
    strategy: NewStrategy,
    account: TradeAccount,
    session: SessionDep,
    strategies: StrategiesDep,
    request: Request,
    response: Response,
    dry_run: Annotated[bool, Query(description="Store nothing, and answer the plan")] = False,
) -> StrategyView | StrategyPreview:
    """It does nothing until it is started. Every fault of its settings is named at once."""
    wanted = strategy.to_request()
    price = strategies.price_of(strategy.symbol)
    if dry_run:
        response.status_code = 200
        plan = await managing.planned(session, wanted, price, strategies.rules)
        return _preview(plan, price)
    async with transactional(session) as tx:
        created = await managing.create_strategy(
            tx, account.id, wanted, price, strategies.rules, actor_of(request)
        )
    return await _view(session, created, strategies)


@router.get("/strategies", summary="List strategies, by name")
async def list_strategies(
    account: ReadAccount,
    session: ReadingSessionDep,
    strategies: StrategiesDep,
    after: Annotated[
        StrategyName | None, Query(description="`next_cursor` of the page before")
    ] = None,
    limit: _Limit = 100,
) -> StrategyPage:
    found = await queries.list_instances(session, account.id, after=after, limit=limit + 1)
    views = await _views(session, found[:limit], strategies)
    return StrategyPage(items=views, next_cursor=views[-1].name if len(found) > limit else None)


@router.get("/strategies/{strategy_id}", summary="Get a strategy", responses=errors(_NOT_FOUND))
async def get_strategy(
    strategy_id: UUID, account: ReadAccount, session: ReadingSessionDep, strategies: StrategiesDep
) -> StrategyView:
    found = await queries.get_instance(session, account.id, strategy_id)
    return await _view(session, found, strategies)


@router.post(
    "/strategies/{strategy_id}/start",
    status_code=202,
    summary="Start a strategy",
    responses=errors(
        _NOT_FOUND, StrategyErrorCode.SYMBOL_HAS_STRATEGY, StrategyErrorCode.STRATEGY_STOPPING
    ),
)
async def start_strategy(
    strategy_id: UUID,
    account: TradeAccount,
    session: SessionDep,
    strategies: StrategiesDep,
    request: Request,
) -> StrategyView:
    """One that was stopped with `mode=keep`, or has failed, goes on where it was."""
    async with transactional(session) as tx:
        found = await life.start(tx, account.id, strategy_id, actor_of(request))
    return await _view(session, found, strategies)


@router.post(
    "/strategies/{strategy_id}/pause",
    status_code=202,
    summary="Pause a strategy",
    responses=errors(
        _NOT_FOUND, StrategyErrorCode.STRATEGY_NOT_RUNNING, StrategyErrorCode.STRATEGY_STOPPING
    ),
)
async def pause_strategy(
    strategy_id: UUID,
    account: TradeAccount,
    session: SessionDep,
    strategies: StrategiesDep,
    request: Request,
) -> StrategyView:
    """It opens no position; exits and the counter orders of a grid go on."""
    async with transactional(session) as tx:
        found = await life.pause(tx, account.id, strategy_id, actor_of(request))
    return await _view(session, found, strategies)


@router.post(
    "/strategies/{strategy_id}/resume",
    status_code=202,
    summary="Resume a strategy that is paused",
    responses=errors(
        _NOT_FOUND, StrategyErrorCode.STRATEGY_NOT_RUNNING, StrategyErrorCode.STRATEGY_STOPPING
    ),
)
async def resume_strategy(
    strategy_id: UUID,
    account: TradeAccount,
    session: SessionDep,
    strategies: StrategiesDep,
    request: Request,
) -> StrategyView:
    async with transactional(session) as tx:
        found = await life.resume(tx, account.id, strategy_id, actor_of(request))
    return await _view(session, found, strategies)


@router.post(
    "/strategies/{strategy_id}/stop",
    status_code=202,
    summary="Stop a strategy",
    responses=errors(_NOT_FOUND, StrategyErrorCode.SYMBOL_HAS_STRATEGY),
)
async def stop_strategy(
    strategy_id: UUID,
    account: TradeAccount,
    session: SessionDep,
    strategies: StrategiesDep,
    request: Request,
    mode: Annotated[
        StopMode,
        Query(
            description="`keep` leaves orders and position, `cancel` cancels its orders, `close`"
            " also sells what it has bought"
        ),
    ] = StopMode.CANCEL,
) -> StrategyView:
    """Answers what it has open; look again until it is `stopped`, or `stop_incomplete`."""
    async with transactional(session) as tx:
        found = await life.stop(
            tx, account.id, strategy_id, mode, actor_of(request), strategies.settings
        )
    return await _view(session, found, strategies)


# --- Settings ------------------------------------------------------------------------------------


@router.put(
    "/strategies/{strategy_id}/params",
    summary="Change the settings of a strategy",
    responses=errors(
        _NOT_FOUND,
        StrategyErrorCode.STRATEGY_KIND_NOT_FOUND,
        StrategyErrorCode.INVALID_STRATEGY_PARAMS,
        StrategyErrorCode.STRATEGY_PARAMS_FIXED,
    ),
)
async def change_strategy_params(
    strategy_id: UUID,
    new: NewParams,
    account: TradeAccount,
    session: SessionDep,
    strategies: StrategiesDep,
    request: Request,
) -> StrategyView:
    """They are a new version, and hold from the next cycle on."""
    async with transactional(session) as tx:
        found = await queries.get_instance(tx, account.id, strategy_id)
        price = strategies.price_of(found.symbol)
        found = await managing.change_params(
            tx, account.id, strategy_id, new.params, price, strategies.rules, actor_of(request)
        )
    return await _view(session, found, strategies)


@router.get(
    "/strategies/{strategy_id}/params",
    summary="List the versions of a strategy's settings, newest first",
    responses=errors(_NOT_FOUND),
)
async def list_strategy_params(
    strategy_id: UUID,
    account: ReadAccount,
    session: ReadingSessionDep,
    after: _AfterNumber = None,
    limit: _Limit = 100,
) -> StrategyParamsPage:
    instance = await queries.get_instance(session, account.id, strategy_id)
    found = await queries.list_params(session, instance, after=after, limit=limit + 1)
    page = [StrategyParams.model_validate(row) for row in found[:limit]]
    more = str(page[-1].version) if len(found) > limit else None
    return StrategyParamsPage(items=page, next_cursor=more)


# --- What it has done ----------------------------------------------------------------------------


@router.get(
    "/strategies/{strategy_id}/notes",
    summary="List why a strategy did something, or did not, newest first",
    responses=errors(_NOT_FOUND),
)
async def list_strategy_notes(
    strategy_id: UUID,
    account: ReadAccount,
    session: ReadingSessionDep,
    after: _AfterNumber = None,
    limit: _Limit = 100,
) -> StrategyNotePage:
    instance = await queries.get_instance(session, account.id, strategy_id)
    found = await queries.list_notes(session, instance, before=after, limit=limit + 1)
    page = [StrategyNote.model_validate(row) for row in found[:limit]]
    more = str(page[-1].n) if len(found) > limit else None
    return StrategyNotePage(items=page, next_cursor=more)


@router.get(
    "/strategies/{strategy_id}/orders",
    summary="List the orders of a strategy, newest first",
    responses=errors(_NOT_FOUND, TradingErrorCode.ORDER_NOT_FOUND),
)
async def list_strategy_orders(
    strategy_id: UUID,
    account: ReadAccount,
    session: ReadingSessionDep,
    after: _After = None,
    limit: _Limit = 100,
) -> StrategyOrderPage:
    instance = await queries.get_instance(session, account.id, strategy_id)
    found = await queries.list_orders_of(session, instance, after=after, limit=limit + 1)
    page = [StrategyOrder.model_validate(row) for row in found[:limit]]
    more = str(page[-1].id) if len(found) > limit else None
    return StrategyOrderPage(items=page, next_cursor=more)


@router.get(
    "/strategies/{strategy_id}/fills",
    summary="List the fills of a strategy, newest first",
    responses=errors(_NOT_FOUND, TradingErrorCode.FILL_NOT_FOUND),
)
async def list_strategy_fills(
    strategy_id: UUID,
    account: ReadAccount,
    session: ReadingSessionDep,
    after: _After = None,
    limit: _Limit = 100,
) -> StrategyFillPage:
    instance = await queries.get_instance(session, account.id, strategy_id)
    found = await queries.list_fills_of(session, instance, after=after, limit=limit + 1)
    page = [
        StrategyFill(
            id=fill.id,
            order_id=order.id,
            role=order.role,
            side=fill.side,
            qty=fill.qty,
            price=fill.price,
            fee=fill.fee,
            fee_currency=fill.fee_currency,
            liquidity=fill.liquidity,
            created_at=fill.created_at,
        )
        for fill, order in found[:limit]
    ]
    more = str(page[-1].id) if len(found) > limit else None
    return StrategyFillPage(items=page, next_cursor=more)


@router.get(
    "/strategies/{strategy_id}/performance",
    summary="Get the figures of a strategy",
    responses=errors(_NOT_FOUND),
)
async def get_strategy_performance(
    strategy_id: UUID,
    account: ReadAccount,
    session: ReadingSessionDep,
    strategies: StrategiesDep,
    resolution: Annotated[
        int, Query(ge=1, le=5000, description="How many points of equity are answered at most")
    ] = 500,
) -> StrategyPerformance:
    instance = await queries.get_instance(session, account.id, strategy_id)
    price = strategies.price_of(instance.symbol)
    shown = await measuring.measure(session, instance, price, resolution)
    points = [EquityPoint.model_validate(point) for point in shown.points]
    return StrategyPerformance(**shown._asdict() | {"points": points})


@router.get(
    "/strategies/{strategy_id}/performance.svg",
    summary="Get a picture of a strategy's equity",
    responses={200: {"content": {"image/svg+xml": {}}}, **errors(_NOT_FOUND)},
    response_class=Response,
)
async def draw_strategy_performance(
    strategy_id: UUID, account: ReadAccount, session: ReadingSessionDep
) -> Response:
    instance = await queries.get_instance(session, account.id, strategy_id)
    picture = await measuring.picture(session, instance)
    return Response(picture, media_type="image/svg+xml")


# --- Schemas of rows -----------------------------------------------------------------------------


async def _view(session: Any, instance: Instance, strategies: Strategies) -> StrategyView:
    (view,) = await _views(session, [instance], strategies)
    return view


async def _views(
    session: Any, instances: Sequence[Instance], strategies: Strategies
) -> list[StrategyView]:
    views = []
    more = await showing.shown(session, instances, strategies.price_of)
    for instance, shown in zip(instances, more, strict=True):
        names = StrategyView.model_fields.keys() - shown.keys()
        views.append(StrategyView(**{name: getattr(instance, name) for name in names}, **shown))
    return views


def _preview(plan: StrategyPlan | None, price: Decimal | None) -> StrategyPreview:
    plan = plan or StrategyPlan([], [], Decimal(0), Decimal(0))
    return StrategyPreview(
        price=price,
        levels=list(plan.levels),
        orders=[PlannedOrder.model_validate(order) for order in plan.orders],
        quote_needed=plan.quote_needed,
        base_needed=plan.base_needed,
        remarks=list(plan.remarks),
    )
