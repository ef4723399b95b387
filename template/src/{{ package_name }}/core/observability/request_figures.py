"""Figures of the busiest routes, for people, from the histogram of requests."""

from collections import defaultdict
from collections.abc import Mapping

from pydantic import BaseModel

from .metrics import DURATION
from .route import is_polled


class RouteFigures(BaseModel):
    """The requests of a route to this process since its start. `mean` and `p95` are in seconds."""

    method: str
    route: str
    count: int
    errors: int
    """Requests that were answered 5xx, or broken off."""
    mean: float
    p95: float | None
    """Time that 19 of 20 did not exceed, to the histogram's precision.

    None of fewer than 20 requests, and if it is longer than the histogram can tell.
    """


_FEW = 20
"""Number of requests below which 19 of 20 say nothing."""


class _Sums:
    def __init__(self) -> None:
        self.count = self.errors = 0
        self.seconds = 0.0
        self.buckets: dict[float, float] = defaultdict(float)


def request_figures(limit: int = 12) -> list[RouteFigures]:
    """Return the `limit` routes with most requests, the busiest first, without what is polled."""
    routes: dict[tuple[str, str], _Sums] = defaultdict(_Sums)
    for sample in (sample for family in DURATION.collect() for sample in family.samples):
        sums = routes[sample.labels["method"], sample.labels["route"]]
        if sample.name.endswith("_bucket"):
            sums.buckets[float(sample.labels["le"])] += sample.value
        elif sample.name.endswith("_sum"):
            sums.seconds += sample.value
        elif sample.name.endswith("_count"):
            sums.count += int(sample.value)
            if not 100 <= int(sample.labels["status"]) < 500:  # 0 where none was sent
                sums.errors += int(sample.value)
    found = [
        RouteFigures(
            method=method,
            route=route,
            count=sums.count,
            errors=sums.errors,
            mean=sums.seconds / sums.count,
            p95=_quantile(sums.buckets, sums.count, 0.95) if sums.count >= _FEW else None,
        )
        for (method, route), sums in routes.items()
        if sums.count and not is_polled(route)
    ]
    return sorted(found, key=lambda one: one.count, reverse=True)[:limit]


def _quantile(buckets: Mapping[float, float], count: int, share: float) -> float | None:
    """Estimate a quantile as PromQL's histogram_quantile does: evenly spread within a bucket."""
    rank, lower, below = share * count, 0.0, 0.0
    for bound, total in sorted(buckets.items()):
        if total >= rank:
            if bound == float("inf"):
                return None
            return lower + (bound - lower) * (rank - below) / (total - below)
        lower, below = bound, total
    return None
