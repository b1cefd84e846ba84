"""Which messages and records a stage is to pass over, as was asked while it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headrace.core.record import Position
from headrace.streams.bisect import skipped
from headrace.streams.live import Live
from headrace.streams.slot import Slot

__all__ = ["Skips"]


class Skips:
    """Answers as things stand when it is asked.

    Args:
        live: what was asked until now.
        retry_topic: where records wait to be tried again; spans of offsets are of the input and of links, never of it.
    """

    def __init__(self, live: Live, retry_topic: str | None) -> None:
        self._live, self._retry_topic = live, retry_topic

    def of(self, stage: str) -> Callable[[Position], bool]:
        """Return what tells whether a stage is to pass over the message at a position."""
        spans, aside = self._live.state.skips.get(stage, {}), self._retry_topic

        def is_skipped(at: Position) -> bool:
            span = spans.get(at.partition) if at.topic != aside else None
            return span is not None and span[0] <= at.offset < span[1]

        return is_skipped

    def holding_nothing(self, stage: str) -> Callable[[Slot], bool]:
        """Return what tells whether nothing of a slot holds up its partition: its message is skipped, or its record."""
        is_skipped, records = self.of(stage), self._live.state.skipped_records.get(stage, frozenset())
        return lambda slot: is_skipped(slot.carrier) or (bool(records) and str(slot.source) in records)

    def fail(self, stage: str, slots: Sequence[Slot]) -> None:
        """Let the records fail whose messages the stage is to pass over."""
        if stage not in self._live.state.skips:
            return
        is_skipped = self.of(stage)
        for slot in slots:
            if slot.message is not None and is_skipped(slot.carrier):
                slot.fail(skipped(stage))
