"""A record that several models are asked at once: its copies, and their join where all of them are answered here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from headrace.core.failure import Failure
from headrace.core.record import Record
from headrace.core.routing.join import Verdict, joined
from headrace.core.routing.part import part_of
from headrace.core.routing.slip import fan_out
from headrace.streams.bisect import as_failure
from headrace.streams.inference import stopped_error
from headrace.streams.slot import Slot

__all__ = ["Family", "Fan", "settle"]


class Family:
    """A record whose models all run in this process: they are asked in the file's order until enough have answered.

    Args:
        slot: the record's own; it has no record until the join is made.
        copies: the slots of its branches.
        needed: how many answers suffice.
    """

    def __init__(self, slot: Slot, copies: Sequence[Slot], needed: int) -> None:
        self._slot, self._copies, self._needed = slot, copies, needed
        self._asked = 0

    def ask(self) -> list[Slot]:
        """Return the branches to run next; none when enough have answered, or all were asked."""
        missing = self._needed - sum(slot.failure is None for slot in self._copies[: self._asked])
        asked = self._copies[self._asked :][: max(0, missing)]
        self._asked += len(asked)
        return list(asked)

    def join(self, waits: Callable[[Slot], bool], *, may_pass: bool = False) -> None:
        """Give the record its end, or let it fail for now with what a model that is missing failed with.

        Args:
            waits: whether a slot with such a failure holds up its partition, until all of its models are asked again.
            may_pass: whether the join is told of failures that may pass, so that a record without an answer can wait.
        """
        passing = self._passing()
        if passing is not None:
            self._slot.fail(passing)
            if waits(self._slot):
                return
            self._slot.failure = None
        for slot in self._copies:
            slot.report(may_pass=may_pass)
        asked = [slot.record for slot in self._copies[: self._asked] if slot.record is not None]
        parts = [part_of(record) for record in asked]
        settle(self._slot, joined(asked[0], {part.branch: part for part in parts}))

    def _passing(self) -> Failure | None:
        """Return why a model did not answer that may do so later; None where none does, or enough others have."""
        failures = [slot.failure for slot in self._copies[: self._asked]]
        if failures.count(None) >= self._needed:
            return None
        return next((failure for failure in failures if failure is not None and failure.is_transient), None)


class Fan:
    """Makes the copies.

    Args:
        stages: the model stages of this process.
        has_egress: whether records can end in this process.
        stopped: the models that answer no record.
    """

    def __init__(self, stages: Collection[str], *, has_egress: bool, stopped: Callable[[], frozenset[str]]) -> None:
        self._stages, self._has_egress, self._stopped = stages, has_egress, stopped

    def out(self, slots: Sequence[Slot]) -> tuple[list[Slot], list[Family]]:
        """Return the slots with copies in the place of records that are joined elsewhere, and what is joined here."""
        made: list[Slot] = []
        families: list[Family] = []
        for slot in slots:
            record = slot.record
            if record is None or record.slip is None or not record.is_live or not _is_parallel(record):
                made.append(slot)
                continue
            decision = record.slip.decision
            copies = self._copies(slot, record)
            if self._has_egress and all(stage in self._stages for each in decision.steps for stage in each.stages):
                slot.record = None
                made.append(slot)
                families.append(Family(slot, copies, decision.needed))
            else:
                copies[0].outgoing = slot.outgoing
                made += copies
        return made, families

    def _copies(self, slot: Slot, record: Record) -> list[Slot]:
        if record.slip is None:
            return []
        stopped = self._stopped()
        copies = [Slot(None, record.replace(slip=slip), carrier=slot.carrier) for slip in fan_out(record.slip)]
        for copy, candidate in zip(copies, record.slip.decision.steps, strict=True):
            if candidate.model in stopped:  # its group may not even run
                copy.fail(as_failure(stopped_error(candidate.model), stage=candidate.stages[0], plugin=""))
        return copies


def settle(slot: Slot, verdict: Verdict) -> None:
    """Give a slot what its record's join came to."""
    slot.record = verdict.record
    if verdict.failure is not None:
        slot.fail(verdict.failure)


def _is_parallel(record: Record) -> bool:
    return record.slip is not None and record.slip.decision.combine == "parallel"
