"""`/v1/strategies` and `/v1/strategy-kinds`"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ..core.api import ServiceRouter, errors
from ..core.api.resources import resource
from ..core.database.session import ReadingSessionDep, SessionDep
from ..core.database.transactions import transactional
from ..market.candles import Timeframe
from ..market.instruments import InstrumentErrorCode, Symbol
from ..market.money import Amount, SignedAmount
from ..market.words import OrderType, Side
from ..strategies.finding import find_kinds
from ..strategies.runner import managing, queries, showing
from ..strategies.runner.codes import StrategyErrorCode
from ..strategies.runner.model import Desired, Instance, Status, StopMode
from ..strategies.runner.service import Strategies, open_strategies
from ..strategies.strategy import Plan as StrategyPlan
from ..trading.codes import TradingErrorCode
from .orders import Order
from .page import FromRow, Page, example
from .security import ReadAccount, TradeAccount, actor_of

router = ServiceRouter(tags=["strategies"])

StrategiesDep = Annotated[Strategies, Depends(resource(open_strategies))]
StrategyName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
_After = Annotated[UUID | None, Query(description="`next_cursor` of the page before")]
_AfterNumber = Annotated[int | None, Query(description="`next_cursor` of the page before")]
_Limit = Annotated[int, Query(ge=1, le=500)]

_ID = "019ab0c4-6f70-7b21-9c3d-4e5f60718293"
_NOT_FOUND = StrategyErrorCode.STRATEGY_NOT_FOUND
_WRONG = (
    StrategyErrorCode.STRATEGY_KIND_NOT_FOUND,
    StrategyErrorCode.INVALID_STRATEGY_PARAMS,
    InstrumentErrorCode.INSTRUMENT_NOT_FOUND,
)


class NewStrategy(BaseModel):
    """Strategy to create, for the account of the key. Its kind says which settings it has."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra=example(
            kind="grid",
            name="grid-1",
            symbol="BTC-USDT",
            timeframe="1m",
            params={"min_price": "45000", "max_price": "55000", "grid_num": 10, "amount": "100"},
        ),
    )

    kind: str = Field(description="As `GET /v1/strategy-kinds` lists it")
    name: StrategyName = Field(description="Your own name for it, one of each in the account")
    symbol: Symbol
    timeframe: Timeframe = Timeframe.M15
    params: dict[str, Any] = Field(default_factory=dict, description="Settings of the kind")

    def to_request(self) -> managing.StrategyRequest:
        return managing.StrategyRequest(**dict(self))


class NewParams(BaseModel):
    """Settings that a strategy is to have, all of them: what is left out is the default."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra=example(params={"investment": "300"})
    )

    params: dict[str, Any]


class PlannedOrder(FromRow):
    """Order that a strategy would begin with; a market order has no price."""

    model_config = ConfigDict(
        json_schema_extra=example(role="g3", side="buy", type="limit", qty="0.002", price="48000")
    )

    role: str
    side: Side
    type: OrderType
    qty: Amount
    price: Amount | None


class StrategyPreview(BaseModel):
    """First acts of a strategy, and the funds that it needs; nothing is stored."""

    model_config = ConfigDict(
        json_schema_extra=example(
            price="50000",
            levels=["45000", "46000"],
            orders=[
                {"role": "g0", "side": "buy", "type": "limit", "qty": "0.002", "price": "45000"}
            ],
            quote_needed="1000",
            base_needed="0",
            remarks=[],
        )
    )

    price: Amount | None = Field(description="Null where there is no price, and so no plan")
    levels: list[Amount]
    orders: list[PlannedOrder]
    quote_needed: Amount
    base_needed: Amount
    remarks: list[str]


class StrategyView(BaseModel):
    """Strategy as it is now. `halted` where it runs and trading is halted.

    `base` is what its fills have left it of the base currency, `equity` what it is worth with the
    `capital` that it needs, in quote units.
    """

    model_config = ConfigDict(
        json_schema_extra=example(
            id=_ID,
            account_id="019ab0c4-5e6f-7a10-8b2c-3d4e5f607182",
            kind="grid",
            name="grid-1",
            symbol="BTC-USDT",
            timeframe="1m",
            params={"min_price": "45000", "max_price": "55000", "grid_num": 10, "amount": "100"},
            params_version=1,
            desired="running",
            status="running",
            status_reason="",
            status_since="2026-11-25T09:30:00Z",
            halted=False,
            stop_mode=None,
            stop_deadline=None,
            capital="1000",
            cash="400",
            base="0.012",
            equity="1001.2",
            open_orders={"g3": 1, "g4": 1},
            next_candle="2026-11-25T09:31:00Z",
            run_by="host-7-5a6b7c8d",
            details={"phase": "running"},
            errors=0,
            created_at="2026-11-25T09:29:00Z",
            started_at="2026-11-25T09:30:00Z",
        )
    )

    id: UUID
    account_id: UUID
    kind: str
    name: str
    symbol: str
    timeframe: Timeframe
    params: dict[str, Any]
    params_version: int
    desired: Desired
    status: Status
    status_reason: str
    status_since: datetime
    halted: bool
    stop_mode: StopMode | None
    stop_deadline: datetime | None = Field(description="When a stop gives up")
    capital: SignedAmount
    cash: SignedAmount
    base: SignedAmount
    equity: SignedAmount | None = Field(description="Null where there is no price")
    open_orders: dict[str, int] = Field(description="How many, by role")
    next_candle: datetime | None = Field(description="When the candle ends that it waits for")
    run_by: str | None = Field(description="The replica that has its lease")
    details: dict[str, Any] = Field(description="What its kind says of its state")
    errors: int
    created_at: datetime
    started_at: datetime | None


class StrategyPage(Page[StrategyView]):
    """Part of the list of strategies, by name."""


class StrategyParams(FromRow):
    """Version of a strategy's settings, and who made it."""

    model_config = ConfigDict(
        json_schema_extra=example(
            version=2,
            params={"investment": "300"},
            changed_by="019ab0c4-1a2b-7c3d-8e4f-5a6b7c8d9e0f",
            request_id="0f8fad5b-d9cb-469f-a165-70867728950e",
            created_at="2026-11-25T09:30:00Z",
        )
    )

    version: int
    params: dict[str, Any]
    changed_by: str = Field(description="The id of an API key, or `cli`")
    request_id: str | None
    created_at: datetime


class StrategyParamsPage(Page[StrategyParams]):
    """Part of the list of versions, newest first."""


class StrategyNote(FromRow):
    """Reason why a strategy did something, or did not. `candle`: when the one had opened."""

    model_config = ConfigDict(
        json_schema_extra=example(
            n=17,
            at="2026-11-25T09:31:01Z",
            candle="2026-11-25T09:30:00Z",
            kind="candle",
            text="RSI 41.2: no signal",
        )
    )

    n: int
    at: datetime
    candle: datetime | None
    kind: str
    text: str


class StrategyNotePage(Page[StrategyNote]):
    """Part of the list of notes, newest first."""


class StrategyOrder(Order):
    """Order of a strategy, and what it is for."""

    model_config = ConfigDict(
        json_schema_extra=example(
            id="019ab0c4-6f70-7b21-9c3d-4e5f60718293",
            account_id="019ab0c4-5e6f-7a10-8b2c-3d4e5f607182",
            client_order_id="sv7ekdwloivlrlmstq7olwl3cc",
            symbol="BTC-USDT",
            side="sell",
            type="limit",
            time_in_force="gtc",
            qty="0.0056",
            limit_price="43588.41",
            post_only=False,
            status="new",
            reason_code=None,
            filled_qty="0",
            leaves_qty="0.0056",
            filled_avg_price=None,
            venue_order_id="17",
            created_at="2026-11-25T09:30:00Z",
            canceled_at=None,
            role="tp1",
        )
    )

    role: str | None


class StrategyOrderPage(Page[StrategyOrder]):
    """Part of the list of a strategy's orders, newest first."""


class StrategyFill(BaseModel):
    """Trade of a strategy's order."""

    model_config = ConfigDict(
        json_schema_extra=example(
            id="019ab0c4-7a81-7c32-8d4e-5f6071829304",
            order_id=_ID,
            role="tp1",
            side="sell",
            qty="0.0056",
            price="43588.41",
            fee="0.1952760768",
            fee_currency="USDT",
            liquidity="maker",
            created_at="2026-11-25T09:30:01Z",
        )
    )

    id: UUID
    order_id: UUID
    role: str | None
    side: Side
    qty: Amount
    price: Amount
    fee: SignedAmount
    fee_currency: str
    liquidity: str
    created_at: datetime


class StrategyFillPage(Page[StrategyFill]):
    """Part of the list of a strategy's fills, newest first."""


class EquityPoint(FromRow):
    """Worth of a strategy at the close of a candle, in quote units."""

    model_config = ConfigDict(
        json_schema_extra=example(at="2026-11-25T09:31:00Z", equity="1001.2", mark="50000")
    )

    at: datetime
    equity: SignedAmount
    mark: Amount


class StrategyPerformance(BaseModel):
    """Figures of a strategy since it has begun; ratios are shares, null where there is none."""

    model_config = ConfigDict(
        json_schema_extra=example(
            started_at="2026-11-25T09:30:00Z",
            capital="1000",
            equity="1001.2",
            total_return=0.0012,
            buy_and_hold_return=0.0004,
            max_drawdown=0.0007,
            sharpe=None,
            win_rate=1.0,
            profit_factor=None,
            fees="0.31",
            fills=4,
            cycles=1,
            best="1.5",
            worst="1.5",
            average_hold_seconds=240.0,
            exposure=0.5,
            points=[{"at": "2026-11-25T09:31:00Z", "equity": "1001.2", "mark": "50000"}],
        )
    )

    started_at: datetime | None
    capital: SignedAmount
    equity: SignedAmount | None
    total_return: float | None
    buy_and_hold_return: float | None
    max_drawdown: float
    sharpe: float | None
    win_rate: float | None
    profit_factor: float | None
    fees: SignedAmount
    fills: int
    cycles: int
    best: SignedAmount | None
    worst: SignedAmount | None
    average_hold_seconds: float | None
    exposure: float | None = Field(description="Share of candles with a position")
    points: list[EquityPoint]


class StrategyKind(BaseModel):
    """Kind of strategy: its settings as a JSON schema, with defaults, bounds and descriptions."""

    model_config = ConfigDict(
        json_schema_extra=example(
            kind="grid",
            title="Grid: buys low and sells high between two prices",
            params={"type": "object", "properties": {"grid_num": {"default": 20}}},
            fixed=["grid_num"],
        )
    )

    kind: str
    title: str
    params: dict[str, Any]
    fixed: list[str] = Field(description="Settings that can't be changed while it runs")


class StrategyKindPage(Page[StrategyKind]):
    """List of kinds, by name; there is only one page."""


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
        plan = await managing.planned(session, wanted, strategies.fees, price)
        return _preview(plan, price)
    async with transactional(session) as tx:
        created = await managing.create_strategy(
            tx, account.id, wanted, strategies.fees, price, actor_of(request)
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
    views = [await _view(session, instance, strategies) for instance in found[:limit]]
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
        found = await managing.start(tx, account.id, strategy_id, actor_of(request))
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
        found = await managing.pause(tx, account.id, strategy_id, actor_of(request))
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
        found = await managing.resume(tx, account.id, strategy_id, actor_of(request))
    return await _view(session, found, strategies)


@router.post(
    "/strategies/{strategy_id}/stop",
    status_code=202,
    summary="Stop a strategy",
    responses=errors(_NOT_FOUND),
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
        found = await managing.stop(
            tx, account.id, strategy_id, mode, actor_of(request), strategies.settings
        )
    return await _view(session, found, strategies)


# --- Settings ------------------------------------------------------------------------------------


@router.put(
    "/strategies/{strategy_id}/params",
    summary="Change the settings of a strategy",
    responses=errors(
        _NOT_FOUND,
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
            tx, account.id, strategy_id, new.params, strategies.fees, price, actor_of(request)
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
    responses=errors(_NOT_FOUND),
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
    shown = await showing.performance(session, instance, strategies.price_of(instance.symbol))
    points = showing.thinned(shown.points, resolution)
    return StrategyPerformance(
        **shown._asdict() | {"points": [EquityPoint.model_validate(point) for point in points]}
    )


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
    picture = await showing.picture(session, instance)
    return Response(picture, media_type="image/svg+xml")


# --- Schemas of rows -----------------------------------------------------------------------------


async def _view(session: Any, instance: Instance, strategies: Strategies) -> StrategyView:
    shown = await showing.shown(session, instance, strategies.price_of(instance.symbol))
    names = StrategyView.model_fields.keys() - shown.keys()
    return StrategyView(**{name: getattr(instance, name) for name in names}, **shown)


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
