"""One leg of a batch's way: the slots that a step is for, the step, and what its answers do to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from headrace.core.failure import Failure
from headrace.core.record import Batch, Record
from headrace.streams.bisect import Retries, Trap, as_failure, isolate, owed
from headrace.streams.slot import Slot

__all__ = ["Leg"]


class Leg:
    """Runs one step over the slots it is for.

    The batch goes to the step in one call; only when that fails is it bisected. Subclasses say which slots
    (`select`) and what an answer makes of a record (`changed`).
    """

    def __init__(self, stage: str, plugin: str, call: Callable[[Batch], Sequence[Any]], retries: Retries) -> None:
        self.stage, self.plugin = stage, plugin
        self._call, self._retries = call, retries
        self._breaker = retries.quarantine.breaker(stage, plugin)

    def select(self, slots: Sequence[Slot]) -> list[Slot]:
        """Return the slots whose records are live."""
        return [slot for slot in slots if slot.record is not None and slot.record.is_live]

    def changed(self, record: Record, answer: Any) -> Record:
        """Return the record as the step's answer makes it.

        Raises:
            Exception: the answer is not what the step owes for this record.
        """
        raise NotImplementedError

    def run(self, slots: Sequence[Slot]) -> int:
        """Run the step over its slots; return how many there were."""
        chosen = self.select(slots)
        if not chosen:
            return 0
        records = [slot.record for slot in chosen if slot.record is not None]
        if self._breaker.is_open and not self._works(records[0]):
            failure = self._failure(self._breaker.error())
            for slot in chosen:
                slot.fail(failure)
            return len(chosen)
        with Trap() as trap:
            self._give(chosen, self._taken(records, self._call(Batch(records))))
        if trap.error is not None:
            self._escape(chosen, records, trap.error)
        else:
            self._breaker.note(None)
        return len(chosen)

    def _give(self, slots: Sequence[Slot], records: Sequence[Record]) -> None:
        """Take what the whole batch became."""
        for slot, record in zip(slots, records, strict=True):
            slot.record = record

    def _works(self, record: Record) -> bool:
        """Whether a step in quarantine takes this record; it is asked now and then only."""
        if not self._breaker.is_due:
            return False
        with Trap() as trap:
            self._ask(Batch([record]))
        self._breaker.note(None if trap.error is None else self._failure(trap.error))
        return not self._breaker.is_open

    def _taken(self, records: Sequence[Record], answers: Sequence[Any]) -> list[Record]:
        owed(answers, len(records))
        return [self.changed(record, answer) for record, answer in zip(records, answers, strict=True)]

    def _ask(self, batch: Batch) -> list[Record]:
        return self._taken(batch, self._call(batch))

    def _escape(self, slots: list[Slot], records: list[Record], error: BaseException) -> None:
        outcomes = isolate(self._ask, Batch, records, error, self._retries)
        for slot, (outcome, attempts) in zip(slots, outcomes, strict=True):
            failure = self._failure(outcome, attempts) if isinstance(outcome, BaseException) else None
            if failure is None or not (self._retries.waits_for_transient and failure.is_transient):
                self._breaker.note(failure)
            if failure is not None:
                slot.fail(failure)
            else:
                slot.record = outcome.replace(attempt=max(attempts, outcome.attempt)) if attempts > 1 else outcome

    def _failure(self, error: BaseException, attempts: int = 1) -> Failure:
        return as_failure(error, stage=self.stage, plugin=self.plugin, attempt=attempts)
