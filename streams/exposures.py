"""The exposures that a worker owes: each unit's meeting with a variant is told once, as long as it is remembered."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

from headrace.core.experiments.experiment import Assigned
from headrace.core.record import Outgoing, Record
from headrace.core.wire.exposure import exposure

__all__ = ["Exposures"]

REMEMBERED = 100_000
"""Meetings: about 25 MB with units of 36 characters; one that is forgotten is told again, under the same ce_id."""


class Exposures:
    """Remembers which meetings were told. Used by one thread at a time.

    Args:
        pipeline: the pipeline's name.
        remembered: how many meetings are remembered; the longest unseen is forgotten first.
        now_ms: the clock, epoch milliseconds.
    """

    def __init__(
        self, pipeline: str, *, remembered: int = REMEMBERED, now_ms: Callable[[], float] = lambda: time.time() * 1000
    ) -> None:
        self._pipeline, self._remembered, self._now_ms = pipeline, remembered, now_ms
        self._told: OrderedDict[tuple[str, Assigned], None] = OrderedDict()

    def due(self, records: Iterable[Record]) -> list[Outgoing]:
        """Return the messages to send for these records, and take them as sent: if that fails, call `forget`."""
        return [
            exposure(record, assigned, self._pipeline, self._now_ms())
            for record in records
            for assigned in record.experiments
            if record.unit and self._is_new((record.unit, assigned))
        ]

    def forget(self) -> None:
        """Forget all that was told, since it is not known what of it arrived: a failed batch is read again.

        What did arrive is then told twice, which readers are ready for.
        """
        self._told.clear()

    def _is_new(self, meeting: tuple[str, Assigned]) -> bool:
        if meeting in self._told:
            self._told.move_to_end(meeting)
            return False
        self._told[meeting] = None
        if len(self._told) > self._remembered:
            self._told.popitem(last=False)
        return True
