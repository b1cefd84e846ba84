"""Writes why: turns a slot's failures into dead letters."""

from __future__ import annotations

import time
from collections.abc import Iterator

from headrace.core.plan.plan import Plan
from headrace.core.record import Outgoing
from headrace.core.wire.dead import Failure, dead_letter
from headrace.streams.slot import Slot

__all__ = ["DeadLetters"]


class DeadLetters:
    """Makes the dead letters of one pipeline."""

    def __init__(self, plan: Plan) -> None:
        self._topic, self._pipeline, self._hash = plan.dead_topic, plan.pipeline, plan.hash

    def of(self, slot: Slot) -> Iterator[Outgoing]:
        """Yield one dead letter for a record that failed, or one for each output that could not take its result."""
        if slot.failure is not None:
            yield self.letter(slot, slot.failure)
        for failure in slot.dead:
            yield self.letter(slot, failure)

    def letter(self, slot: Slot, failure: Failure) -> Outgoing:
        """Return the dead letter of a slot for this failure."""
        return dead_letter(
            slot.message,
            failure,
            topic=self._topic,
            pipeline=self._pipeline,
            plan=self._hash,
            now_ms=time.time() * 1000,
        )
