"""One leg of a batch's way: the slots that a step is for, the step, and what its answers do to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from headrace.core.record import Batch
from headrace.streams.bisect import Retries, Trap, as_failure, isolate, owed
from headrace.streams.slot import Slot

__all__ = ["Leg"]


class Leg:
    """Runs one step over the slots it is for.

    The batch goes to the step in one call; only when that fails is it bisected. Subclasses say which slots
    (`select`) and what an answer does (`settle`).
    """

    def __init__(self, stage: str, plugin: str, call: Callable[[Batch], Sequence[Any]], retries: Retries) -> None:
        self.stage, self.plugin = stage, plugin
        self._call, self._retries = call, retries

    def select(self, slots: Sequence[Slot]) -> list[Slot]:
        """Return the slots whose records are live."""
        return [slot for slot in slots if slot.record is not None and slot.record.is_live]

    def settle(self, slot: Slot, answer: Any) -> None:
        """Take the step's answer for one slot: here, the changed record.

        Raises:
            Exception: the answer is not what the step owes; the slot becomes a dead letter.
        """
        slot.record = answer

    def run(self, slots: Sequence[Slot]) -> int:
        """Run the step over its slots; return how many there were."""
        chosen = self.select(slots)
        if not chosen:
            return 0
        records = [slot.record for slot in chosen if slot.record is not None]
        with Trap() as trap:
            answers = owed(self._call(Batch(records)), len(records))
            for slot, answer in zip(chosen, answers, strict=True):
                self.settle(slot, answer)
        if trap.error is not None:
            self._one_by_one(chosen, records)
        return len(chosen)

    def _one_by_one(self, slots: list[Slot], records: list[Any]) -> None:
        outcomes = isolate(self._call, Batch, records, self._retries)
        for slot, record, (outcome, attempts) in zip(slots, records, outcomes, strict=True):
            slot.record = record  # a settle that failed half-way must not leave its mark
            self._settle_one(slot, outcome, attempts)

    def _settle_one(self, slot: Slot, outcome: Any, attempts: int) -> None:
        with Trap() as trap:
            if isinstance(outcome, BaseException):
                raise outcome
            self.settle(slot, outcome)
        if trap.error is not None:
            slot.fail(as_failure(trap.error, stage=self.stage, plugin=self.plugin, attempt=attempts))
        elif slot.record is not None and attempts > 1:
            slot.record = slot.record.replace(attempt=max(attempts, slot.record.attempt))
