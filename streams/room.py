"""How many messages more a batch may have: by records, by bytes, and by the pace that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headrace.core.record import Message
from headrace.streams.batch_limit import BatchLimit
from headrace.streams.pace import Pace

__all__ = ["LARGE_BYTES", "MOST_BYTES", "Room"]

MOST_BYTES = 8 << 20
"""Of a batch: as much as aiokafka fetches at once of eight partitions."""

LARGE_BYTES = 1 << 20
"""What messages are taken to be before any was read: Kafka's default limit of one."""


class Room:
    """The room in the batches of one stage. Remembers how large messages are.

    Args:
        limit: how many records a batch may have.
    """

    def __init__(self, limit: BatchLimit) -> None:
        self._limit = limit
        self._usual_bytes: float = LARGE_BYTES

    def left(self, messages: Sequence[Message], pace: Pace, weigh: Callable[[Message], int] | None) -> int:
        """Return how many messages more a batch may have, taking the next ones to be as heavy as the heaviest of it.

        Of frames the first comes alone: 64 of them hold one record each while little is to do, and 64 each after a
        stop, so what was seen before does not tell.

        Args:
            messages: the batch so far.
            pace: says how many may be read now.
            weigh: how many records a message holds, where it is a frame.
        """
        limit, most = self._limit.records, self._fitting(messages)
        if most == 0:
            return 0
        if weigh is None:
            return pace.allowed(min(most, limit - len(messages)))  # it may have shrunk meanwhile
        if not messages:
            return 1
        weights = [weigh(message) for message in messages]
        held = sum(weights)
        return min(most, max(1, (limit - held) // max(weights))) if held < limit else 0

    def _fitting(self, messages: Sequence[Message]) -> int:
        """Return how many messages more a batch may have by their bytes, if they are as those of it, or before it.

        One fetch may bring a large one of each partition, so looking only afterwards would be late.
        """
        size = sum(len(message.value or b"") for message in messages)
        if messages:
            self._usual_bytes = size / len(messages)
        return max(1, int((MOST_BYTES - size) / max(1.0, self._usual_bytes))) if size < MOST_BYTES else 0
