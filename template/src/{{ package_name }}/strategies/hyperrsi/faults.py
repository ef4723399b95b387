"""Faults of HYPERRSI's settings beyond their own bounds."""

from decimal import Decimal
from itertools import pairwise

from ...market.money import multiply, plain
from ..strategy import Config, Fault
from .params import HyperRsiParams
from .prices import entry_qty

_ONLY = {
    "direction": ("long", "Only long: a short borrows what it sells, and needs a margin account"),
    "leverage": (1, "Only 1: more borrows, which needs a margin account"),
    "trend_timeframe": ("auto", "Only auto: the trend of another timeframe is not offered"),
    "tp_option": ("percentage", "Only percentage: distances in ATR or in quote are not offered"),
    "sl_option": ("percentage", "Only percentage: distances in ATR or in quote are not offered"),
    "pyramiding_entry_type": ("percentage", "Only percentage: others are not offered"),
}

REFUSALS = {
    "use_dual_side_entry": "Holding a short beside a long needs a margin account",
    "dual_side_entry_trigger": "Holding a short beside a long needs a margin account",
    "btc_investment": "It is named investment here, and is an amount of the quote currency",
    "eth_investment": "It is named investment here, and is an amount of the quote currency",
}


def find_faults(config: Config[HyperRsiParams], price: Decimal | None) -> list[Fault]:
    """Return all faults of the settings; what needs a price is left out where there is none."""
    params, market = config.params, config.market
    found = [
        Fault(name, sentence)
        for name, (only, sentence) in _ONLY.items()
        if getattr(params, name) != only
    ]
    if params.rsi_oversold >= params.rsi_overbought:
        found.append(
            Fault(
                "",
                "rsi_oversold must be below rsi_overbought",
                about=("rsi_oversold", "rsi_overbought"),
            )
        )
    found += _faults_of_targets(params)
    if params.investment < 2 * market.min_notional:
        found.append(
            Fault(
                "investment",
                f"must be at least twice the smallest order, {plain(2 * market.min_notional)}"
                f" {market.quote_currency}",
            )
        )
    if price is not None:
        found += _faults_of_entries(config, price)
    return found


def _faults_of_targets(params: HyperRsiParams) -> list[Fault]:
    used = params.rungs
    found = []
    if sum(ratio for _, _, ratio in used) > 100:
        found.append(
            Fault(
                "",
                "the ratios of the take-profits in use must not be more than 100 together",
                about=tuple(f"{role}_ratio" for role, _, _ in used),
            )
        )
    values = [value for _, value, _ in used]
    if any(later <= earlier for earlier, later in pairwise(values)):
        found.append(
            Fault(
                "",
                "each take-profit must be above the one before it",
                about=tuple(f"{role}_value" for role, _, _ in used),
            )
        )
    return found


def _faults_of_entries(config: Config[HyperRsiParams], price: Decimal) -> list[Fault]:
    params, market = config.params, config.market
    budget = params.investment
    for entries in range(params.pyramiding_limit):
        if entry_qty(params, entries, price, config) == 0:
            return [
                Fault(
                    "",
                    f"entry {entries + 1} of {params.pyramiding_limit} would buy for"
                    f" {plain(budget)} {market.quote_currency} at {plain(price)}, which is less"
                    f" than an order must be ({plain(market.lot)} {market.base_currency} and"
                    f" {plain(market.min_notional)} {market.quote_currency})",
                    about=("investment", "entry_multiplier", "pyramiding_limit"),
                )
            ]
        budget = multiply(budget, params.entry_multiplier)
    return []
