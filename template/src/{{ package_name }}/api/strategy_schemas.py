"""The schemas of `/v1/strategies`."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ..market.candles import Timeframe
from ..market.money import Amount, SignedAmount
from ..market.words import OrderType, Side, Symbol
from ..strategies.finding import find_kinds
from ..strategies.runner import managing
from ..strategies.runner.model import Desired, Status, StopMode, StrategyName
from .orders import Order
from .page import FromRow, Page, example

_ID = "019ab0c4-6f70-7b21-9c3d-4e5f60718293"

KIND, STRATEGY = next(iter(find_kinds().items()))
"""A kind of strategy that this service has, for examples that can be sent as they are."""
PARAMS = STRATEGY.example(Decimal(50_000))


class NewStrategy(BaseModel):
    """Strategy to create, for the account of the key. Its kind says which settings it has."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra=example(
            kind=KIND,
            name=f"{KIND}-1",
            symbol="BTC-USDT",
            timeframe="1m",
            params=PARAMS,
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

    model_config = ConfigDict(extra="forbid", json_schema_extra=example(params=PARAMS))

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
            kind=KIND,
            name=f"{KIND}-1",
            symbol="BTC-USDT",
            timeframe="1m",
            params=PARAMS,
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
            params=PARAMS,
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
    """Figures of a strategy since it has begun, named as in the result of a backtest.

    Ratios are shares, null where there is none.
    """

    model_config = ConfigDict(
        json_schema_extra=example(
            started_at="2026-11-25T09:30:00Z",
            start_equity="1000",
            final_equity="1001.2",
            total_return=0.0012,
            buy_and_hold=0.0004,
            max_drawdown=0.0007,
            sharpe=None,
            win_rate=1.0,
            profit_factor=None,
            fees="0.31",
            fills=4,
            cycles=1,
            wins=1,
            losses=0,
            best="1.5",
            worst="1.5",
            average_hold=240.0,
            exposure=0.5,
            points=[{"at": "2026-11-25T09:31:00Z", "equity": "1001.2", "mark": "50000"}],
        )
    )

    started_at: datetime | None
    start_equity: SignedAmount = Field(description="The funds that it needs")
    final_equity: SignedAmount | None = Field(description="What it is worth now")
    total_return: float | None
    buy_and_hold: float | None
    max_drawdown: float
    sharpe: float | None
    win_rate: float | None
    profit_factor: float | None
    fees: SignedAmount
    fills: int
    cycles: int
    wins: int
    losses: int
    best: SignedAmount | None
    worst: SignedAmount | None
    average_hold: float | None = Field(description="In seconds")
    exposure: float | None = Field(description="Share of candles with a position")
    points: list[EquityPoint]


class StrategyKind(BaseModel):
    """Kind of strategy: its settings as a JSON schema, with defaults, bounds and descriptions."""

    model_config = ConfigDict(
        json_schema_extra=example(
            kind=KIND,
            title=STRATEGY.title,
            params={"type": "object", "properties": {name: {} for name in PARAMS}},
            fixed=sorted(STRATEGY.fixed),
        )
    )

    kind: str
    title: str
    params: dict[str, Any]
    fixed: list[str] = Field(description="Settings that can't be changed while it runs")


class StrategyKindPage(Page[StrategyKind]):
    """List of kinds, by name; there is only one page."""
