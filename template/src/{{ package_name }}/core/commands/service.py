"""The facts about a service that the commands need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..config import Settings

if TYPE_CHECKING:
    from ..alerts.channels import Channel

Seed = Callable[[Settings, str], Awaitable[str]]
"""Makes what a newcomer trades with; gives back the API key it is given, or a new one."""

FirstSteps = Callable[[str, str], Sequence[str]]
"""Commands that a newcomer may copy into a terminal, for the API's address and a key."""


@dataclass(frozen=True)
class Service:
    """The service whose commands these are; `context.obj`."""

    name: str
    application: str
    channels: Callable[[], Sequence[Channel]]
    has_channels: bool
    seed: Seed
    first_steps: FirstSteps
