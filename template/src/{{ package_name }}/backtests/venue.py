"""The exchange of a backtest: the paper venue's matching code, for one candle at a time.

An order is worked with as a whole number of ticks where it is only compared; what it costs, and
what is frozen for it, is the matching code's business.
"""

from decimal import Decimal
from typing import Final

from ..exchanges.paper.funds import Funds
from ..exchanges.paper.matching import Book, Fees, Ladder, Level, Order, Reason, Refused, Rules
from ..exchanges.paper.matching import Fill as BookFill
from ..market.candles import Scale
from ..market.money import exact, multiply
from ..market.words import OrderType, Side, TimeInForce
from ..strategies.strategy import CloseReason, Market, OrderKey, Place
from .terms import Terms

NEVER_LOW: Final = -1 << 62
NEVER_HIGH: Final = 1 << 62
_ACCOUNT: Final = "backtest"


class Working:
    """An order that the strategy has placed and that has not ended.

    `left` is what a market's order did not get of its candle; it comes with the next.
    """

    __slots__ = ("filled", "left", "order", "place", "ticks")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.filled = Decimal(0)
        self.left = place.qty
        self.order: Order | None = None
        self.ticks = 0


class NotTaken(Exception):  # noqa: N818  # no error of ours: an exchange's answer
    """The exchange takes no such order."""

    def __init__(self, reason: CloseReason, code: str) -> None:
        super().__init__(code)
        self.reason = reason
        self.code = code


class Venue:
    """Orders, funds and the liquidity of the present candle.

    `best_buy` and `best_sell` are the prices in ticks of the orders that are filled first.
    """

    def __init__(self, market: Market, scale: Scale, terms: Terms) -> None:
        self.market = market
        self.tick_size, self.lot = scale
        funds = Funds()
        self._quote = funds[_ACCOUNT, market.quote_currency]
        self._base = funds[_ACCOUNT, market.base_currency]
        self._quote.free, self._base.free = terms.cash, terms.base
        rules = Rules(
            market.symbol, market.base_currency, market.quote_currency, market.tick, market.lot
        )
        self._book = Book(rules, Fees(market.maker, market.taker), funds)
        self._working: dict[OrderKey, Working] = {}
        self._by_number: dict[int, Working] = {}
        self._arrivals = 0
        self._participation = terms.max_participation
        self.liquidity = Decimal(0)
        self.best_buy = NEVER_LOW
        self.best_sell = NEVER_HIGH

    # --- What there is ---------------------------------------------------------------------------

    @property
    def quote(self) -> Decimal:
        with exact():
            return self._quote.free + self._quote.frozen

    @property
    def base(self) -> Decimal:
        with exact():
            return self._base.free + self._base.frozen

    def find(self, key: OrderKey) -> Working | None:
        """Return the order of that name, if it has not ended."""
        return self._working.get(key)

    # --- What happens ----------------------------------------------------------------------------

    def begin_candle(self, volume: int) -> None:
        """Have so much to trade with in this candle, whatever the last one has left."""
        lots = int(multiply(Decimal(volume), self._participation))
        self.liquidity = multiply(Decimal(lots), self.lot)

    def send(self, working: Working, bid: int, ask: int) -> list[BookFill]:
        """Send an order, or what is left of one. Raises NotTaken, and it has ended."""
        place = working.place
        is_market = place.type is OrderType.MARKET
        is_buy = place.side is Side.BUY
        price = place.price if place.price is not None else self.price(ask if is_buy else bid)
        if working.order:
            del self._by_number[working.order.number]
        self._arrivals += 1
        order = Order(
            self._arrivals,
            _ACCOUNT,
            place.side,
            place.type,
            TimeInForce.GTC,
            working.left,
            None if is_market else place.price,
        )
        working.order = order
        if not working.filled and multiply(place.qty, price) < self.market.min_notional:
            raise NotTaken(CloseReason.DENIED, "NOTIONAL_BELOW_MINIMUM")
        self._book.ladder = Ladder(self._level(bid), self._level(ask))
        try:
            fills = self._book.place(order)
        except Refused as refused:
            self._working.pop(place.key, None)
            raise NotTaken(CloseReason.REJECTED, refused.reason) from None
        self._working[place.key] = working
        self._by_number[order.number] = working
        if not is_market:
            working.ticks = int(price / self.tick_size)
        self._count(fills)
        return fills

    def fill_buys(self, ask: int) -> list[BookFill]:
        """Fill the buys that wait at that price, in ticks, or above."""
        fills = self._book.tick(Ladder([], self._level(ask)))
        self._count(fills)
        return fills

    def fill_sells(self, bid: int) -> list[BookFill]:
        """Fill the sells that wait at that price, in ticks, or below."""
        fills = self._book.tick(Ladder(self._level(bid), []))
        self._count(fills)
        return fills

    def cancel(self, working: Working) -> None:
        """End an order that has not ended."""
        order = working.order
        assert order is not None
        if not order.status.is_final:
            self._book.cancel(order)
        del self._working[working.place.key]
        del self._by_number[order.number]
        self._find_best()

    def owner(self, fill: BookFill) -> Working:
        """Return whose fill it is, having counted it."""
        working = self._by_number[fill.order.number]
        with exact():
            working.filled += fill.qty
            working.left -= fill.qty
        if not working.left:
            del self._working[working.place.key]
            del self._by_number[fill.order.number]
        return working

    def price(self, ticks: int) -> Decimal:
        return multiply(Decimal(ticks), self.tick_size)

    # --- How -------------------------------------------------------------------------------------

    def _level(self, ticks: int) -> list[Level]:
        return [Level(self.price(ticks), self.liquidity)] if self.liquidity else []

    def _count(self, fills: list[BookFill]) -> None:
        with exact():
            for fill in fills:
                self.liquidity -= fill.qty
        self._find_best()

    def _find_best(self) -> None:
        buys, sells = self._book.buys, self._book.sells
        self.best_buy = self._by_number[buys[0].number].ticks if buys else NEVER_LOW
        self.best_sell = self._by_number[sells[0].number].ticks if sells else NEVER_HIGH


REQUESTED: Final = Reason.REQUESTED.value
