"""`/v1/paper`: what administrators do to the paper venue."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ..core.api import ServiceRouter, errors
from ..core.database.session import SessionsDep
from ..core.errors import ErrorCode, TradingException
from ..exchanges.paper.client import PaperExchange
from ..exchanges.paper.codes import PaperErrorCode
from ..exchanges.paper.fault_plan import Op
from ..exchanges.paper.quotes import post_quote, script_fault
from ..market.instruments import InstrumentErrorCode
from ..market.money import PositiveAmount
from ..market.words import Symbol
from ..trading.orders.queries import find_order
from .instruments import Quote
from .orders import ClientOrderId
from .page import example
from .security import AdminAccount
from .trading import TradingDep

router = ServiceRouter(prefix="/paper", tags=["paper"])

Offer = tuple[PositiveAmount, PositiveAmount]


class NewQuote(BaseModel):
    """Prices of an instrument and their sizes, the best first."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra=example(
            symbol="BTC-USDT", bids=[["49999", "0.5"]], asks=[["50001", "0.5"]]
        ),
    )

    symbol: Symbol
    bids: list[Offer] = Field(max_length=50)
    asks: list[Offer] = Field(max_length=50)
    ts: AwareDatetime | None = Field(None, description="Time of the prices, now if it is null")


class NewFault(BaseModel):
    """Fault of the next calls: `timeout_after` has the venue do it, and loses its answer."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra=example(op="place", kind="timeout_after", times=1),
    )

    op: str = Field(max_length=32)
    kind: str = Field(max_length=32)
    times: int = Field(1, ge=1, le=1_000_000)
    client_order_id: ClientOrderId | None = Field(
        None,
        description="Only of calls for this order of yours, of any if it is null; of one that is"
        " not placed yet, only `place` can go wrong",
    )


async def get_paper(trading: TradingDep) -> PaperExchange:
    """Return the paper venue. Raises TradingException NOT_FOUND where orders go elsewhere."""
    if not isinstance(trading.exchange, PaperExchange):
        raise TradingException(ErrorCode.NOT_FOUND, "This service does not trade on paper")
    return trading.exchange


PaperDep = Annotated[PaperExchange, Depends(get_paper)]


@router.post(
    "/quotes",
    status_code=201,
    summary="Set the prices of an instrument; needs the scope `admin` and PAPER_PRICES=posted",
    responses=errors(
        ErrorCode.NOT_FOUND,
        InstrumentErrorCode.INSTRUMENT_NOT_FOUND,
        PaperErrorCode.PRICES_NOT_POSTED,
        PaperErrorCode.INVALID_QUOTE,
    ),
)
async def post_paper_quote(
    new: NewQuote, _account: AdminAccount, paper: PaperDep, trading: TradingDep
) -> Quote:
    """Time stands still between two posts: each one is the next moment of the market."""
    at: datetime | None = new.ts
    quote = await post_quote(paper, new.symbol, new.bids, new.asks, at)
    await trading.quotes.ask(new.symbol)
    return Quote.model_validate(quote)


@router.post(
    "/faults",
    status_code=201,
    summary="Have the next calls of the exchange go wrong; needs the scope `admin`",
    responses=errors(ErrorCode.NOT_FOUND, PaperErrorCode.INVALID_FAULT),
)
async def script_paper_fault(
    new: NewFault, account: AdminAccount, paper: PaperDep, sessions: SessionsDep
) -> NewFault:
    """`op` is a verb of the exchange, `kind` what goes wrong; docs/paper-venue.md has them all."""
    client_id = new.client_order_id
    if client_id is not None:
        async with sessions() as session:
            order = await find_order(session, account.id, client_id)
        if order is not None:
            client_id = order.venue_client_id
        elif new.op in Op.__members__.values() and new.op != Op.PLACE:
            raise TradingException(
                PaperErrorCode.INVALID_FAULT,
                f"There is no order {client_id} yet: only `place` can go wrong for it",
                {"op": new.op, "client_order_id": client_id},
            )
    await script_fault(paper, new.op, new.kind, new.times, client_id)
    return new
