"""Recommendations about a busy pool, from what it did."""

from collections import Counter
from dataclasses import dataclass

from .leases import Leak
from .usage import Recent, Usage

# Seconds. Who holds a connection for less does nothing but use it: more of them help.
_SHORT_HOLD = 0.1
# With more openings per use than that, connections are closed that could have served again.
_HIGH_CHURN = 0.1
_ENOUGH_USES = 100


@dataclass(frozen=True, slots=True)
class PoolSize:
    """The sizes of a pool, and the name of the setting that makes it larger."""

    name: str
    size: int | None
    """Connections that stay open; None where there is no pool."""
    limit: int | None
    """Connections there may be; None if unlimited."""


def recommend(
    usage: Usage, recent: Recent, busiest: Counter[str], size: PoolSize, *, is_short: bool
) -> list[str]:
    """Return what to do, the most urgent first; nothing where all is well.

    `busiest` counts the connections that each route held while the pool was busy. `is_short` says
    that there are too few connections now.
    """
    advice = []
    leaks = [leak for leak in usage.leases.leaks() if leak.tier != "collected"]
    if leaks:
        advice.append(_give_back(leaks))
    if is_short or recent.of("timeouts"):
        advice.append(_shortage(usage, recent, busiest, size))
    holds, created = recent.of("holds"), recent.of("created")
    if size.limit != size.size and holds >= _ENOUGH_USES and created > holds * _HIGH_CHURN:
        advice.append(
            f"{created:.0f} connections were opened for {holds:.0f} uses: raise"
            f" {size.name} ({size.size}), so that they are kept"
        )
    return advice


def _give_back(leaks: list[Leak]) -> str:
    (origin, count), *_ = Counter(leak.origin for leak in leaks).most_common(1)
    return f"{count} of {len(leaks)} leaked connections were taken at {origin}: give them back"


def _shortage(usage: Usage, recent: Recent, busiest: Counter[str], size: PoolSize) -> str:
    held = recent.of("held") / (recent.of("holds") or 1)
    held = max(held, usage.leases.mean_age)  # those that are still out may be the long ones
    if held <= _SHORT_HOLD:
        waited = recent.of("waited") / (recent.of("waits") or 1)
        return (
            f"Callers waited {waited:.3f} s on average for connections that are held for"
            f" {held:.3f} s only: raise {size.name} ({size.size})"
        )
    total = busiest.total()
    holder, most = busiest.most_common(1)[0] if busiest else ("", 0)
    if total > 1 and most * 2 >= total:
        subject = f"{holder} holds {100 * most / total:.0f} % of the connections"
    else:
        subject = f"Connections are held for {held:.2f} s on average"
    return f"{subject}: shorten the transactions, and await nothing but the database in them"
