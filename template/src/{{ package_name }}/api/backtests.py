"""`/v1/backtests`"""

from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Request, Response, status
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import FileResponse

from ..backtests.codes import BacktestErrorCode
from ..backtests.jobs import MOST_CANDLES, Job, Jobs, JobStatus, open_backtests
from ..backtests.report import policy
from ..backtests.terms import Backtest as Wanted
from ..backtests.terms import Terms
from ..core.api import ServiceRouter, errors
from ..core.api.resources import resource
from ..core.database.session import Database, ReadingSessionDep
from ..core.errors import ErrorCode, TradingException
from ..market.candle_codes import CandleErrorCode
from ..market.candle_store import closed_candles, read_candles, scale_of
from ..market.candles import Candles, Timeframe
from ..market.instruments import InstrumentErrorCode, get_instrument
from ..market.money import Amount
from ..market.words import Symbol
from ..strategies.checking import check
from ..strategies.finding import find_kinds
from ..strategies.strategy import Market
from .page import Page, example
from .security import ReadAccount, TradeAccount
from .strategy_schemas import KIND, PARAMS

router = ServiceRouter(prefix="/backtests", tags=["backtests"])

JobsDep = Annotated[Jobs, Depends(resource(open_backtests))]

_MOST_FEE: Final = Decimal("0.1")
_ONE: Final = Decimal(1)


class BacktestRequest(BaseModel):
    """A strategy, and the stored candles to try it on: those that open from `from` to `to`."""

    model_config = ConfigDict(
        extra="forbid",
        serialize_by_alias=True,
        json_schema_extra=example(
            **{
                "kind": KIND,
                "params": PARAMS,
                "symbol": "BTC-USDT",
                "timeframe": "15m",
                "from": "2026-01-01T00:00:00Z",
                "to": "2026-02-01T00:00:00Z",
                "cash": "10000",
                "base": "0",
                "maker": "0.0008",
                "taker": "0.001",
                "spread_ppm": 100,
                "max_participation": "0.1",
            }
        ),
    )

    kind: Annotated[str, Field(max_length=64)]
    params: dict[str, Any] = Field(default={}, description="GET /v1/strategy-kinds explains them")
    symbol: Symbol
    timeframe: Timeframe
    begin: AwareDatetime = Field(alias="from")
    end: AwareDatetime = Field(alias="to")
    cash: Amount = Field(description="Quote currency at the start")
    base: Amount = Field(Decimal(0), description="Base currency at the start")
    maker: Annotated[Amount, Field(lt=_MOST_FEE)] = Decimal("0.0008")
    taker: Annotated[Amount, Field(lt=_MOST_FEE)] = Decimal("0.001")
    spread_ppm: int = Field(100, ge=0, le=100_000)
    max_participation: Annotated[Amount, Field(gt=0, le=_ONE)] = Decimal("0.1")


class Backtest(BaseModel):
    """A backtest. `done` of its `candles` are done; `result` is there with the status `done`.

    It is kept by the process that took it, beside the newest others, until that ends.
    """

    model_config = ConfigDict(
        serialize_by_alias=True,
        json_schema_extra=example(
            **{
                "id": "019ab0c4-6f70-7b21-9c3d-4e5f60718293",
                "status": "done",
                "reason": "",
                "kind": KIND,
                "symbol": "BTC-USDT",
                "timeframe": "15m",
                "from": "2026-01-01T00:00:00Z",
                "to": "2026-02-01T00:00:00Z",
                "candles": 2976,
                "done": 2976,
                "created_at": "2026-11-30T09:30:00Z",
                "result": {
                    "final_equity": "10020.67654723996",
                    "total_return": 0.00206,
                    "fills": 9,
                },
            }
        ),
    )

    id: UUID
    status: JobStatus
    reason: str
    kind: str
    symbol: str
    timeframe: Timeframe
    begin: datetime = Field(alias="from")
    end: datetime = Field(alias="to")
    candles: int
    done: int
    created_at: datetime
    result: dict[str, Any] | None


class BacktestPage(Page[Backtest]):
    """The backtests of the account, newest first."""


@router.post(
    "",
    status_code=status.HTTP_202_ACCEPTED,
    summary="Run a backtest",
    responses=errors(
        BacktestErrorCode.BACKTEST_INVALID,
        BacktestErrorCode.TOO_MANY_BACKTESTS,
        ErrorCode.RATE_LIMITED,  # of every route, and this one has another error of its status
        InstrumentErrorCode.INSTRUMENT_NOT_FOUND,
        CandleErrorCode.CANDLES_OFF_SCALE,
    ),
)
async def run_backtest(
    request: Request,
    account: TradeAccount,
    session: ReadingSessionDep,
    jobs: JobsDep,
    body: BacktestRequest,
) -> Backtest:
    """It runs in a process of its own; `GET` of its id says how far it is."""
    begin, end = (int(moment.timestamp()) for moment in (body.begin, body.end))
    instrument = await get_instrument(session, body.symbol)
    market = Market(
        body.symbol,
        instrument.base_currency,
        instrument.quote_currency,
        *scale_of(instrument),
        instrument.min_notional,
        body.maker,
        body.taker,
    )
    first = await closed_candles(session, body.symbol, body.timeframe, begin - 1, limit=1)
    is_there = bool(first) and first[0].open_time < end
    faults = _faults(body, begin, end)
    if not is_there and not faults:
        faults.append({"param": "from", "message": "no candle is stored from then to `to`"})
    strategy = find_kinds().get(body.kind)
    if strategy is None:
        raise _invalid([*faults, _unknown(body.kind)])
    price = first[0].close_price if is_there else None
    config, wrong = check(strategy, body.params, market, body.timeframe.seconds, price)
    faults += [{"param": fault.param, "message": fault.message} for fault in wrong]
    if faults or config is None:
        raise _invalid(faults)
    terms = Terms(body.cash, body.base, body.spread_ppm, body.max_participation)
    wanted = Wanted(body.kind, strategy, config, body.timeframe, terms)
    database: Database = request.app.resources.database
    read = partial(_read, database, body.symbol, body.timeframe, begin, end)
    return _shown(jobs.add(account.id, wanted, body.begin, body.end, read))


def _faults(body: BacktestRequest, begin: int, end: int) -> list[dict[str, str]]:
    faults = []
    if begin >= end:
        faults.append({"param": "to", "message": "must be after `from`"})
    if (end - begin) // body.timeframe.seconds > MOST_CANDLES:
        message = f"a backtest has at most {MOST_CANDLES} candles"
        faults.append({"param": "to", "message": message})
    if not body.cash and not body.base:
        faults.append({"param": "cash", "message": "with nothing, nothing can be traded"})
    return faults


def _unknown(kind: str) -> dict[str, str]:
    return {"param": "kind", "message": f"{kind!r} is none of {', '.join(find_kinds())}"}


def _invalid(faults: list[dict[str, str]]) -> TradingException:
    said = "; ".join(f"{fault['param']}: {fault['message']}" for fault in faults)
    return TradingException(BacktestErrorCode.BACKTEST_INVALID, said, {"faults": faults})


async def _read(
    database: Database, symbol: str, timeframe: Timeframe, begin: int, end: int
) -> Candles:
    """Read in small parts, so that nobody waits for this."""
    async with database.sessions() as session:
        scale = scale_of(await get_instrument(session, symbol))
        whole = Candles(scale, timeframe.seconds)
        async for part in read_candles(session, symbol, timeframe, begin, end, at_once=2_000):
            for column, more in zip(whole.columns, part.columns, strict=True):
                column.extend(more)
    return whole


@router.get("", summary="List backtests, newest first")
async def list_backtests(account: ReadAccount, jobs: JobsDep) -> BacktestPage:
    return BacktestPage(items=[_shown(job) for job in jobs.of(account.id)], next_cursor=None)


@router.get(
    "/{backtest_id}",
    summary="Get a backtest",
    responses=errors(BacktestErrorCode.BACKTEST_NOT_FOUND),
)
async def get_backtest(account: ReadAccount, jobs: JobsDep, backtest_id: UUID) -> Backtest:
    return _shown(jobs.get(account.id, backtest_id))


@router.delete(
    "/{backtest_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Cancel a backtest, or forget its result",
    responses=errors(BacktestErrorCode.BACKTEST_NOT_FOUND),
)
async def delete_backtest(account: TradeAccount, jobs: JobsDep, backtest_id: UUID) -> Response:
    await jobs.remove(jobs.get(account.id, backtest_id))
    return Response(status_code=status.HTTP_204_NO_CONTENT)


def _shown(job: Job) -> Backtest:
    wanted = job.backtest
    values = {
        **{name: getattr(job, name) for name in ("id", "status", "reason", "candles", "done")},
        **{name: getattr(job, name) for name in ("created_at", "result")},
        "kind": wanted.kind,
        "symbol": wanted.config.market.symbol,
        "timeframe": wanted.timeframe,
        "from": job.begin,
        "to": job.end,
    }
    return Backtest.model_validate(values)


# --- Files ---------------------------------------------------------------------------------------


def _file(media_type: str) -> dict[str, Any]:
    """Return the arguments of a route that answers a file of a backtest that is done."""
    responses: dict[int | str, Any] = dict(
        errors(BacktestErrorCode.BACKTEST_NOT_FOUND, BacktestErrorCode.BACKTEST_NOT_DONE)
    )
    responses[200] = {"content": {media_type: {"schema": {"type": "string"}}}}
    return {"response_class": FileResponse, "responses": responses}


@router.get("/{backtest_id}/fills.csv", summary="Get a backtest's fills", **_file("text/csv"))
async def get_backtest_fills(
    account: ReadAccount, jobs: JobsDep, backtest_id: UUID
) -> FileResponse:
    return _of_job(jobs.get(account.id, backtest_id), "fills.csv", "text/csv")


@router.get("/{backtest_id}/equity.csv", summary="Get a backtest's equity", **_file("text/csv"))
async def get_backtest_equity(
    account: ReadAccount, jobs: JobsDep, backtest_id: UUID
) -> FileResponse:
    return _of_job(jobs.get(account.id, backtest_id), "equity.csv", "text/csv")


@router.get("/{backtest_id}/report.html", summary="Get a backtest's report", **_file("text/html"))
async def get_backtest_report(
    account: ReadAccount, jobs: JobsDep, backtest_id: UUID
) -> FileResponse:
    """It loads nothing, and its policy allows nothing but its own style."""
    return _of_job(jobs.get(account.id, backtest_id), "report.html", "text/html")


@router.get(
    "/{backtest_id}/equity.svg", summary="Draw a backtest's equity", **_file("image/svg+xml")
)
async def get_backtest_equity_picture(
    account: ReadAccount, jobs: JobsDep, backtest_id: UUID
) -> FileResponse:
    return _of_job(jobs.get(account.id, backtest_id), "equity.svg", "image/svg+xml")


def _of_job(job: Job, name: str, media_type: str) -> FileResponse:
    """Return a file. Raises TradingException BACKTEST_NOT_DONE."""
    if job.status is not JobStatus.DONE:
        raise TradingException(
            BacktestErrorCode.BACKTEST_NOT_DONE,
            f"The backtest is {job.status}" + (f": {job.reason}" if job.reason else ""),
            {"status": job.status.value},
        )
    headers = {"Content-Security-Policy": policy(), "X-Content-Type-Options": "nosniff"}
    return FileResponse(job.folder / name, media_type=media_type, headers=headers)
