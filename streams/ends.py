"""The records of a batch that come to their end, and what their results are: made once, for all outputs."""

from __future__ import annotations

from collections.abc import Container, Sequence
from functools import cached_property
from typing import Any

from headrace.core.record import Outgoing, Record
from headrace.core.step import Plain
from headrace.core.wire.cloudevents import headers_of_results
from headrace.core.wire.result import ResultFacts, Spent, iso_time, result_body
from headrace.core.wire.written import ResultWriter
from headrace.streams.slot import Slot

__all__ = ["Ends"]


class Ends:
    """What the steps after the models left of a batch.

    Args:
        slots: the records, and those that failed at the last moment.
        facts: what all results share.
        spent: times of the batch.
        is_as_said: whether outputs are still what the models said, so that what was encoded there can be used.
    """

    def __init__(self, slots: Sequence[Slot], facts: ResultFacts, spent: Spent, *, is_as_said: bool) -> None:
        self.slots = slots
        self._facts, self._spent, self._is_as_said = facts, spent, is_as_said
        self._time = iso_time(spent.ended_ms)
        self._writer = ResultWriter(facts, spent, self._time)
        self._values: dict[int, bytes] = {}

    @cached_property
    def bodies(self) -> dict[int, dict[str, Any]]:
        """The body of each result by the id of its slot."""
        return {
            id(slot): result_body(slot.record, self._facts, self._spent, self._time)
            for slot in self.slots
            if slot.record is not None
        }

    def messages(self, chosen: Sequence[Slot], plain: Plain) -> list[Outgoing]:
        """Return the messages that carry the results of these slots to a topic.

        Raises:
            Exception: one of them cannot be written.
        """
        topic, key, headers = plain.topic, plain.key, headers_of_results(self._facts.pipeline, self._time, plain.topic)
        return [
            Outgoing(topic, key(record), self._value(slot, record), headers(record))
            for slot in chosen
            if (record := slot.record) is not None
        ]

    def told(self, among: Container[int] | None) -> tuple[list[str], list[float]]:
        """Return how each record ended, and how many seconds each took, of slots with these ids, or of all."""
        slots = self.slots if among is None else [slot for slot in self.slots if id(slot) in among]
        records = [record for slot in slots if (record := slot.record) is not None]
        total_ms = self._writer.total_ms
        return [record.status for record in records], [total_ms(record) / 1000 for record in records]

    def _value(self, slot: Slot, record: Record) -> bytes:
        found = self._values.get(id(slot))
        if found is None:
            said = slot.said if self._is_as_said else None
            known = said[1] if said is not None and said[0] is record.output else None
            found = self._values[id(slot)] = self._writer.value(record, known)
        return found
