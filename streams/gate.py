"""What has to be true of the links before ingress reads: an earlier plan's records are through, all are wide enough."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import Any

from headrace.core.errors import HeadraceError
from headrace.core.plan.plan import Plan
from headrace.streams.access.admin import admin
from headrace.streams.access.connection import Connection
from headrace.streams.observer import Observer
from headrace.streams.offsets import link_lags
from headrace.streams.topic_facts import widen

__all__ = ["DRAIN_S", "Gate"]

log = logging.getLogger(__name__)

DRAIN_S = 60.0
"""How long a changed plan waits for the links to drain; what is left then runs as far as it fits the new plan."""

LOOK_EVERY_S = 0.5


class Gate:
    """Holds ingress back.

    Args:
        plan: what runs.
        connection: the broker.
        is_changed: whether another plan ran before.
    """

    def __init__(self, plan: Plan, connection: Connection, *, is_changed: bool) -> None:
        self._plan, self._connection, self._is_changed = plan, connection, is_changed
        self._links = [topic.name for topic in plan.topics if topic.role in ("link", "state", "retry")]
        self._width = 0

    async def opened(self) -> None:
        """Wait, if the plan has changed, until the links are empty; for a while only, and say so."""
        if not self._is_changed:
            return
        give_up, told = time.monotonic() + DRAIN_S, -1
        async with Observer(self._connection, "gate", is_wary=True) as observer:
            while time.monotonic() < give_up:
                lag = await self._lag(observer)
                if lag == 0:
                    return
                if lag is not None and lag != told:
                    log.info(
                        "the plan has changed: %d frames of the one before are still on links; waiting for them", lag
                    )
                    told = lag
                await asyncio.sleep(LOOK_EVERY_S)
        log.warning("the links did not drain within %g s; what is left runs as far as it fits this plan", DRAIN_S)

    async def _lag(self, observer: Observer) -> int | None:
        """Return how many frames lie on links; None while the broker does not tell."""
        from aiokafka.errors import KafkaError

        try:
            return sum((await link_lags(observer, self._plan.pipeline)).values())
        except (KafkaError, HeadraceError, OSError, TimeoutError) as error:
            log.warning("what lies on the links is not known for now: %s: %s", type(error).__name__, error)
            await observer.close()
            return None

    async def grown(self, tps: Iterable[Any]) -> None:
        """Let the links have as many partitions as the input before a record of a new one is sent."""
        width = max((tp.partition + 1 for tp in tps), default=0)
        if width <= self._width or not self._links:
            return
        async with admin(self._connection) as client:
            await widen(client, self._links, width)
        self._width = width
