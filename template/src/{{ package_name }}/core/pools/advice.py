"""What to do about a busy pool, said from what it did."""

from collections import Counter
from dataclasses import dataclass

from .leases import Leak
from .usage import Recent, Usage

# Below, a connection is held for no longer than some statements take: more of them help.
_SHORT_HOLD = 0.1
# Of the connections opened and closed again, in the place of idle ones that could have served.
_CHURN = 0.1
_ENOUGH = 100


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """What a pool's settings are called, and what they are."""

    size_name: str
    size: int | None
    limit: int | None


def recommend(
    usage: Usage, recent: Recent, busiest: Counter[str], settings: PoolSettings, *, is_short: bool
) -> list[str]:
    """`busiest` counts connections by who holds them; `is_short` if there are too few of them."""
    advice = []
    leaks = [leak for leak in usage.leases.leaks() if leak.tier != "collected"]
    if leaks:
        advice.append(_give_back(leaks))
    if is_short or recent.of("timeouts"):
        advice.append(_shortage(usage, recent, busiest, settings))
    holds, created = recent.of("holds"), recent.of("created")
    if settings.limit != settings.size and holds >= _ENOUGH and created > holds * _CHURN:
        advice.append(
            f"{created:.0f} connections were opened for {holds:.0f} uses: raise"
            f" {settings.size_name} ({settings.size}), so that they are kept"
        )
    return advice


def _give_back(leaks: list[Leak]) -> str:
    (origin, count), *_ = Counter(leak.origin for leak in leaks).most_common(1)
    return f"{count} of {len(leaks)} leaked connections were taken at {origin}: give them back"


def _shortage(usage: Usage, recent: Recent, busiest: Counter[str], settings: PoolSettings) -> str:
    held = recent.of("held") / (recent.of("holds") or 1)
    held = max(held, usage.leases.mean_age)  # those that are still out may be the long ones
    if held <= _SHORT_HOLD:
        waited = recent.of("waited") / (recent.of("waits") or 1)
        return (
            f"Callers waited {waited:.3f} s on average for connections that are held for"
            f" {held:.3f} s only: raise {settings.size_name} ({settings.size})"
        )
    total = busiest.total()
    holder, most = busiest.most_common(1)[0] if busiest else ("", 0)
    if total > 1 and most * 2 >= total:
        subject = f"{holder} holds {100 * most / total:.0f} % of the connections"
    else:
        subject = f"Connections are held for {held:.2f} s on average"
    return f"{subject}: shorten the transactions, and await nothing but the database in them"
