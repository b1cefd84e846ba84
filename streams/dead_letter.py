"""Writes why: turns a slot's failures into dead letters."""

from __future__ import annotations

import time

from headrace.core.errors import RecordError
from headrace.core.plan.plan import Plan
from headrace.core.record import Outgoing
from headrace.core.wire.dead import Failure, dead_letter
from headrace.streams.bisect import as_failure
from headrace.streams.slot import Slot

__all__ = ["DeadLetters"]


class DeadLetters:
    """Makes the dead letters of one pipeline."""

    def __init__(self, plan: Plan) -> None:
        self._topic, self._pipeline, self._hash = plan.dead_topic, plan.pipeline, plan.hash
        self._plugins = {output.name: output.step.spec.name for output in plan.outputs}

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

    def refused(self, output: str, error: RecordError) -> Failure:
        """Return the failure of a result that its topic does not take."""
        return as_failure(error, stage="egress", plugin=self._plugins[output], output=output)
