"""Alerts of a process that has no event loop."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread

from ..config import Settings
from .alerts import Alerts
from .channels import Channel


@contextmanager
def alerts_of_a_thread(
    channels: Sequence[Channel], settings: Settings, service: str
) -> Iterator[Alerts]:
    """Send alerts from a thread with a loop of its own, as long as the block lasts."""
    alerts = Alerts(channels, settings, service)
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="alerts", daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(alerts.__aenter__(), loop).result()
    try:
        yield alerts
    finally:
        asyncio.run_coroutine_threadsafe(alerts.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
