"""Delete from a link what its reader has committed: a link keeps everything else, however long that takes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from headrace.core.errors import HeadraceError
from headrace.streams.access.admin import admin
from headrace.streams.access.connection import Connection

__all__ = ["Purge"]

log = logging.getLogger(__name__)


class Purge:
    """Deletes records (Kafka's DeleteRecords) up to offsets that only ever grow.

    A purge that fails is no harm: the link holds more for a while, and the next one deletes it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._held = AsyncExitStack()
        self._client: Any = None
        self._gone: dict[Any, int] = {}

    async def run(self, committed: Mapping[Any, int]) -> None:
        """Delete what lies before these offsets, where there is anything new to delete."""
        from aiokafka.admin import RecordsToDelete
        from aiokafka.errors import KafkaError

        due = {tp: offset for tp, offset in committed.items() if offset > self._gone.get(tp, 0)}
        if not due:
            return
        try:
            if self._client is None:
                self._client = await self._held.enter_async_context(admin(self._connection))
            await self._client.delete_records({tp: RecordsToDelete(offset) for tp, offset in due.items()})
            self._gone.update(due)
        except (KafkaError, HeadraceError, OSError, TimeoutError) as error:
            log.warning("what is read of a link cannot be deleted for now: %s: %s", type(error).__name__, error)

    async def close(self) -> None:
        """Let go of the broker."""
        await self._held.aclose()
