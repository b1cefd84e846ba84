"""The eras in which ingress reads, and what it sends on in each: so egress knows what lies between two records."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from headrace.streams.slot import Slot

__all__ = ["Eras"]


class Eras:
    """Stamps records that go on elsewhere with the era, and with the first offset that they are the next news of.

    An era begins whenever reading does: what is read again then is told from answers that are late.

    Args:
        clock_ms: epoch milliseconds.
        in_turn: whether records with a key leave egress in the order of that key.
    """

    def __init__(self, clock_ms: Callable[[], float] = lambda: time.time() * 1000, *, in_turn: bool = False) -> None:
        self._in_turn, self._clock_ms = in_turn, clock_ms
        self._era = 0
        self._spans: dict[tuple[str, int], tuple[int, int]] = {}

    def begin(self) -> None:
        """Begin an era: other offsets come next than those after the last ones."""
        self._era = max(self._era + 1, int(self._clock_ms()))
        self._spans.clear()

    def stamp(self, slots: Sequence[Slot]) -> None:
        """Stamp what goes on elsewhere; copies of one record follow each other and get the same stamp."""
        for slot in slots:
            if slot.carrier.topic != slot.source.topic:  # it has waited aside, and counted as ended meanwhile
                if slot.record is not None and not slot.is_done:
                    again = max(self._era + 1, int(self._clock_ms()))
                    slot.record = slot.record.replace(era=again, since=slot.source.offset)
                continue
            topic, partition, offset = slot.source
            since, end = self._spans.setdefault((topic, partition), (offset, offset))
            if slot.record is None or slot.is_done:
                continue
            if offset != end - 1:
                since = end if offset >= end else offset
                self._spans[topic, partition] = since, offset + 1
            in_turn = self._in_turn and slot.record.key is not None
            slot.record = slot.record.replace(era=self._era, since=since, in_turn=in_turn)
