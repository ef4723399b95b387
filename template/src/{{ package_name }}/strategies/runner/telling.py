"""Telling people what has become of a strategy."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol
from uuid import UUID

from ...core.alerts.alert import Alert


class Alerting(Protocol):
    """Something that alerts can be given to."""

    def fire(self, alert: Alert) -> None: ...


_TITLES = {
    "paused": "A strategy is paused",
    "failed": "A strategy has failed, and is not run any more",
    "stop_incomplete": "A strategy was stopped, and not all of it has ended",
    "late_candle": "A strategy waits for a candle",
}


_CRITICAL = {"failed", "stop_incomplete"}


class Telling:
    """Alerts of strategies."""

    def __init__(self, alerts: Alerting) -> None:
        self._alerts = alerts

    def alert(
        self, kind: str, strategy_id: UUID, name: str, symbol: str, text: str
    ) -> Callable[[], None]:
        """Return what tells it. `kind` is that of the note, or the condition of the strategy."""
        title = _TITLES.get(kind, "A strategy wants to be looked at")
        details = {"strategy": name, "id": str(strategy_id), "symbol": symbol, "reason": text}
        alert = Alert(f"strategy_{kind}:{strategy_id}", title, details, lasts=False)
        if kind in _CRITICAL:
            alert = replace(alert, severity="critical")
        return lambda: self._alerts.fire(alert)
