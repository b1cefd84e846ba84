"""How far a stage has read, counting offsets that hold no record: the marks that end transactions, and aborted records.

A read_committed reader is never given them. If only the offsets of records were committed, each partition that a
transaction wrote last would lag by one for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["Passage"]


class Passage:
    """Compares the consumer's positions with the offsets that were taken.

    Args:
        consumer: an aiokafka consumer; its positions move past what it does not return.
    """

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._taken: dict[Any, int] = {}

    async def begin(self, partitions: Iterable[Any]) -> None:
        """Take the positions at which reading begins."""
        self._taken = {tp: await self._consumer.position(tp) for tp in partitions}

    async def took(self, offsets: Mapping[Any, int]) -> dict[Any, int]:
        """Return the offsets that go with a batch: after its last records, and after what follows them and is none.

        Args:
            offsets: partition -> offset after the last record of the batch, all that were read.
        """
        passed = {tp: max(offset, await self._consumer.position(tp)) for tp, offset in offsets.items()}
        self._taken.update(passed)
        return passed

    async def passed(self) -> dict[Any, int]:
        """Return the offsets that were passed without a record; to be asked while no batch is read or in flight."""
        found = {tp: await self._consumer.position(tp) for tp in self._taken}
        new = {tp: offset for tp, offset in found.items() if offset > self._taken[tp]}
        self._taken.update(new)
        return new
