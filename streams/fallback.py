"""The configured answer for records that failed (`on_failure: fallback`): they end as results that say why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from headrace.core.failure import Failure
from headrace.core.record import Record
from headrace.core.wire.errors import FrameUnreadableError, PlanChangedError, ProcessKilledError, SkippedError
from headrace.streams.slot import Slot

__all__ = ["Fallback"]

# What was skipped was not tried; what fits no plan can be redriven and then be answered. Of what killed its process
# nothing is to be run again, and a fallback still goes through sinks.
_NOT_FOR = frozenset(error.code for error in (SkippedError, PlanChangedError, FrameUnreadableError, ProcessKilledError))


class Fallback:
    """Gives failed records the output that the file names.

    A message that could not be read at all has no record, so nothing can be answered: it stays a dead letter.
    """

    def __init__(self, output: Mapping[str, Any]) -> None:
        self._output = dict(output)

    def rescue(self, slots: Iterable[Slot]) -> None:
        """Turn the failures of these slots into results, where that is possible."""
        for slot in slots:
            failure, record = slot.failure, slot.remains
            if failure is not None and record is not None and failure.code not in _NOT_FOR:
                slot.record, slot.failure, slot.remains = self._answered(record, failure), None, None

    def _answered(self, record: Record, failure: Failure) -> Record:
        return record.replace(
            status="fallback",
            reason=failure.message,
            output=self._output,
            tensors={},
            attempt=max(record.attempt, failure.attempt),
            failure={
                "code": failure.code,
                "class": failure.kind,
                "error": failure.error,
                "stage": failure.stage,
                "plugin": failure.plugin,
            },
        )
