"""The ingress stage: messages become records, are changed, and get their routing slip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headrace.core.errors import StepContractError
from headrace.core.record import Record
from headrace.core.routing.decision import Decision
from headrace.core.routing.slip import Slip
from headrace.core.step import Codec
from headrace.core.wire.incoming import Intake, refuse_unreadable, to_record
from headrace.streams.bisect import Trap, as_failure
from headrace.streams.leg import Leg
from headrace.streams.slot import Slot

__all__ = ["STAGE", "Change", "Decode", "Route"]

STAGE = "ingress"
_FOLLOWED = ("single", "cascade", "chain")


class Decode:
    """Reads each message with the codec. Messages fail one by one, so there is nothing to bisect."""

    def __init__(self, codec: Codec, plugin: str, intake: Intake) -> None:
        self._codec, self._plugin, self._intake = codec, plugin, intake

    def run(self, slots: Sequence[Slot], now_ms: float) -> None:
        """Give each slot its record; what cannot be read fails, what has expired says so."""
        for slot in slots:
            with Trap() as trap:
                refuse_unreadable(slot.message, self._intake)
                record = to_record(slot.message, self._codec.decode(slot.message), self._intake)
                slot.record = _expired(record, now_ms)
            if trap.error is not None:
                slot.fail(as_failure(trap.error, stage=STAGE, plugin=self._plugin))


class Change(Leg):
    """Runs a preprocess or postprocess step: each record becomes the changed one."""

    def changed(self, record: Record, answer: Any) -> Record:
        """Return the changed record.

        Raises:
            StepContractError: HR603, it is no record, or another one: then results would go to the wrong ids.
        """
        if not isinstance(answer, Record):
            raise StepContractError(f"the step returned {type(answer).__name__}, not a Record", mend="return a Record")
        if answer.id != record.id or answer.source != record.source:
            raise StepContractError(
                f"the step returned record {answer.id!r} for {record.id!r}", mend="keep order, id and source"
            )
        return answer


class Route(Leg):
    """Asks the router and gives each record its slip."""

    def changed(self, record: Record, answer: Any) -> Record:
        """Return the record with its slip.

        Raises:
            StepContractError: HR603, it is no decision, or one that cannot be followed.
        """
        if not isinstance(answer, Decision):
            raise StepContractError(f"the router returned {type(answer).__name__}, not a Decision", mend="return one")
        if not answer.steps:
            raise StepContractError("the router chose no model", mend="name at least one in `steps`")
        if answer.combine not in _FOLLOWED:
            raise StepContractError(
                f"the router's decision is {answer.combine!r}, which is not built yet",
                mend="use single, cascade or chain",
            )
        return record.replace(slip=Slip(policy=self.plugin, decision=answer))


def _expired(record: Record, now_ms: float) -> Record:
    if record.deadline_ms is None or record.deadline_ms > now_ms:
        return record
    late = now_ms - record.deadline_ms
    return record.replace(status="expired", reason=f"its deadline passed {late:.0f} ms before its turn")
