"""Lets ingress wait while too many records wait at egress, for their turn or more answers: memory stays bounded.

Egress itself cannot cease to read: what the others wait for comes over the same partition.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from aiokafka.errors import KafkaError

from headrace.core.errors import HeadraceError
from headrace.core.wire.control import PartitionFull, Setting, setting_key
from headrace.streams.access.connection import Connection
from headrace.streams.control.writer import now, set_settings
from headrace.streams.join import Joiner
from headrace.streams.live import Live

__all__ = ["Fullness"]

log = logging.getLogger(__name__)


class Fullness:
    """Keeps the control topic in step with how full egress is.

    Args:
        connection: the broker.
        pipeline: its name.
        joiner: knows how many wait.
        live: what the control topic says now.
        who: the worker.
    """

    def __init__(self, connection: Connection, pipeline: str, joiner: Joiner, live: Live, who: str) -> None:
        self._connection, self._pipeline, self._who = connection, pipeline, who
        self._joiner, self._live = joiner, live

    async def tell(self, assigned: Collection[int]) -> None:
        """Say what has changed of the partitions that are read here."""
        wanted, said = self._joiner.full, self._live.state.full
        changes: dict[str, Setting | None] = {}
        for partition in assigned:
            key = setting_key(PartitionFull, partition=partition)
            if partition in wanted and partition not in said:
                changes[key] = PartitionFull(records=wanted[partition], time=now())
            elif partition in said and partition not in wanted:
                changes[key] = None
        if changes:
            await self._write(changes)

    async def _write(self, changes: Mapping[str, Setting | None]) -> None:
        why = "records wait at egress"
        try:
            await set_settings(self._connection, self._pipeline, changes, who=self._who, why=why)
        except (HeadraceError, KafkaError, OSError, TimeoutError) as error:
            log.warning("ingress cannot be told how full egress is: %s", error)
