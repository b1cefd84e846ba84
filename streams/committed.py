"""What a stage has committed: an offset for each partition, and beside it the journal's words on what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.errors import OffsetMetadataTooLargeError

from headrace.streams.journal import Journal

__all__ = ["Committed"]


class Committed:
    """Knows them for the assigned partitions, and commits for the consumer where there is no transaction.

    Args:
        consumer: an aiokafka consumer, in a group.
        journal: gives the words.

    Attributes:
        offsets: what is known to be committed, or where reading began.
        journal: the same.
    """

    def __init__(self, consumer: Any, journal: Journal) -> None:
        self._consumer, self.journal = consumer, journal
        self.offsets: dict[Any, int] = {}

    def begin(self, offsets: Mapping[Any, int]) -> None:
        """Take the offsets at which reading begins of all that is assigned now."""
        self.offsets.clear()
        self.offsets.update(offsets)

    async def commit(self, offsets: Mapping[Any, int]) -> None:
        """Commit offsets.

        Raises:
            KafkaError: they are not committed.
        """
        await self._write(offsets)
        self.note(offsets)

    def note(self, offsets: Mapping[Any, int]) -> None:
        """Take offsets that were committed, here or in a transaction."""
        self.offsets.update(offsets)
        self.journal.committed(offsets)

    async def mark(self, partitions: Iterable[Any]) -> None:
        """Write the journal's words on partitions beside the offsets that they have already.

        Raises:
            KafkaError: they are not written.
        """
        assigned = self._consumer.assignment()
        at = {tp: self.offsets[tp] for tp in partitions if tp in assigned}
        if not at:
            return
        try:
            await self._write(at)
        except OffsetMetadataTooLargeError:
            self.journal.give_up()

    async def _write(self, offsets: Mapping[Any, int]) -> None:
        await self._consumer.commit({tp: (at, self.journal.words(tp, at)) for tp, at in offsets.items()})
