"""Where the next stages lag least: for links whose records may go to any partition."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from headrace.core.errors import HeadraceError
from headrace.core.plan.plan import Plan
from headrace.streams.access.connection import Connection
from headrace.streams.observer import Observer
from headrace.streams.offsets import lags

__all__ = ["Spread"]

log = logging.getLogger(__name__)


class Spread:
    """Chooses the least lagged partition of a link, by the lag seen last and what this worker has sent since."""

    def __init__(self, connection: Connection, plan: Plan) -> None:
        self._observer = Observer(connection, "spread")
        self._links = {
            stage.reads: stage.consumer_group for stage in plan.stages if stage.reads and stage.kind != "ingress"
        }
        self._lags: Mapping[str, dict[int, int]] = {}

    def choose(self, topic: str, partition: int) -> int:
        """Return the partition for a frame; the record's own until the lags are known. Called by the steps' thread."""
        seen = self._lags.get(topic)
        if not seen:
            return partition
        best = min(seen, key=lambda number: (seen[number], (number - partition) % len(seen)))
        seen[best] += 1
        return best

    async def look(self) -> None:
        """Ask the broker for the lags; when it does not answer, those seen last stay."""
        from aiokafka.errors import KafkaError

        try:
            self._lags = await lags(self._observer, self._links)
        except (KafkaError, HeadraceError, OSError, TimeoutError) as error:
            log.warning("the lag of the next stages is not known for now: %s: %s", type(error).__name__, error)
            await self._observer.close()

    async def close(self) -> None:
        """Let go of the broker."""
        await self._observer.close()
