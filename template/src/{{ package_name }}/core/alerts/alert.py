"""An alert, and how its key is made up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person should know.

    `key` says what it is about, as `<subject>:<which one>`, such as `pool:database`; docs/alerts.md
    lists the keys, which operators filter by. An alert is not told again while one of its key is
    active.

    An alert `lasts` until `resolve(key)`, such as a full pool; otherwise it is an event that has
    no end, such as a connection that was lost.
    """

    key: str
    title: str
    details: Mapping[str, object] = field(default_factory=dict)
    severity: Literal["warning", "critical"] = "warning"
    lasts: bool = True
