"""Quotes that somebody posts, and faults that somebody scripts: what the venue's routes call."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from operator import gt, lt

from ...core.errors import TradingException
from ...market.instruments import InstrumentErrorCode
from ...market.money import MAX_AMOUNT, exact, is_multiple, plain
from ..client import Quote
from .client import PaperExchange
from .codes import PaperErrorCode
from .fault_plan import fault_named
from .matching import Ladder, Level, Rules

_MOST_LEVELS = 50
_MOST_TIMES = 1_000_000

Offers = Sequence[tuple[Decimal, Decimal]]
"""Prices and sizes, the best first."""


async def post_quote(
    exchange: PaperExchange, symbol: str, bids: Offers, asks: Offers, at: datetime | None = None
) -> Quote:
    """Make these offers the next tick of the symbol, at `at` or now, and return the best of them.

    Orders that they reach are filled when it returns, so the offers may be less by then. Raises
    TradingException PRICES_NOT_POSTED, INSTRUMENT_NOT_FOUND or INVALID_QUOTE.
    """
    venue = exchange.venue
    if venue.market.source is not None:
        raise TradingException(
            PaperErrorCode.PRICES_NOT_POSTED,
            "Prices move by themselves; PAPER_PRICES=posted lets you post them",
            {"prices": venue.market.source.name.partition("/")[0]},
        )
    rules = await venue.rules(symbol)
    if rules is None:
        raise TradingException(
            InstrumentErrorCode.INSTRUMENT_NOT_FOUND,
            f"There is no instrument {symbol}",
            {"symbol": symbol},
        )
    ladder = Ladder(_levels(rules, "bids", bids), _levels(rules, "asks", asks))
    if ladder.bids and ladder.asks and ladder.bids[0].price >= ladder.asks[0].price:
        raise TradingException(
            PaperErrorCode.INVALID_QUOTE, "The best bid must be below the best ask"
        )
    await venue.post(symbol, ladder, at)
    quote = await venue.quote(symbol)
    assert quote is not None
    return quote


def _levels(rules: Rules, side: str, offers: Offers) -> list[Level]:
    if len(offers) > _MOST_LEVELS:
        raise _invalid(side, _MOST_LEVELS, f"there are more than {_MOST_LEVELS} {side}")
    for number, (price, size) in enumerate(offers):
        for name, value, increment in (
            ("price", price, rules.price_increment),
            ("size", size, rules.size_increment),
        ):
            if not (0 < value < MAX_AMOUNT and is_multiple(value, increment)):
                text = f"a {name} must be a multiple of {plain(increment)}, more than 0"
                raise _invalid(side, number, text)
        with exact():
            if price * size >= MAX_AMOUNT:
                raise _invalid(side, number, f"price x size must be less than {plain(MAX_AMOUNT)}")
    is_better = gt if side == "bids" else lt
    for number, ((price, _), (next_price, _)) in enumerate(pairwise(offers), 1):
        if not is_better(price, next_price):
            raise _invalid(side, number, "the best price must come first, and each price once")
    return [Level(price, size) for price, size in offers]


def _invalid(side: str, level: int, text: str) -> TradingException:
    return TradingException(
        PaperErrorCode.INVALID_QUOTE, f"{side}[{level}]: {text}", {"side": side, "level": level}
    )


async def script_fault(
    exchange: PaperExchange,
    op: str,
    kind: str,
    times: int = 1,
    venue_client_id: str | None = None,
) -> None:
    """Have the next `times` calls of a verb go wrong, those for one order or for any.

    `place` and `timeout_after`, say: see `Op` and `Kind`. Raises TradingException INVALID_FAULT.
    """
    try:
        named = fault_named(op, kind)
    except ValueError as error:
        raise TradingException(
            PaperErrorCode.INVALID_FAULT, str(error), {"op": op, "kind": kind}
        ) from error
    if not 0 < times <= _MOST_TIMES:
        raise TradingException(
            PaperErrorCode.INVALID_FAULT,
            f"times must be from 1 to {_MOST_TIMES}",
            {"times": times},
        )
    await exchange.faults.script(*named, times, venue_client_id)
