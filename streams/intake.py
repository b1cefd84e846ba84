"""From messages to slots: a message of the input is one, a frame of a link holds many."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from headrace.core.errors import RecordError
from headrace.core.plan.stages import EGRESS
from headrace.core.record import Message
from headrace.core.wire.errors import PlanChangedError
from headrace.core.wire.frame import decode_frame
from headrace.core.wire.retry import waited
from headrace.streams.bisect import Trap, as_failure, skipped
from headrace.streams.join import Read
from headrace.streams.skips import Skips
from headrace.streams.slot import Slot

__all__ = ["Intake", "refuse_branch"]


class Intake:
    """Makes the slots of what a stage reads.

    Args:
        skips: the frames that a stage is to pass over.
        retry_topic: where records wait to be tried again, which ingress reads beside the input.
    """

    def __init__(self, skips: Skips, retry_topic: str | None) -> None:
        self._skips, self._retry_topic = skips, retry_topic

    def arrived(self, messages: Sequence[Message]) -> list[Slot]:
        """Return the slots of messages of the input, and of those that have waited to be tried again."""
        aside = self._retry_topic
        return [Slot(one) if one.position.topic != aside else _returned(one) for one in messages]

    def unpacked(self, stage: str, message: Message) -> Read:
        """Return what is in a frame; one that cannot be read is a slot of its own bytes, which fails."""
        if message.position.offset < 0:
            return Read(message, [])
        with Trap() as trap:
            frame = decode_frame(message.value)
            slots = [_slot(each, message, stage) for each in frame.records]
            if self._skips.of(stage)(message.position):
                for slot in slots:
                    slot.fail(skipped(stage))
            return Read(message, slots, frame.call)
        slot = Slot(message)
        if trap.error is not None:
            slot.fail(as_failure(trap.error, stage=stage, plugin="link"))
        return Read(message, [slot])


def refuse_branch(slot: Slot) -> None:
    """End the answer of one branch where nothing is joined; a record has one end, so that of the others is silent."""
    record = slot.record
    slip = record.slip if record is not None else None
    if record is None or slip is None or slip.branch is None:
        return
    if slip.branch == 0:
        error = PlanChangedError("the plan under which it is to be joined is gone", mend="redrive it")
        slot.record = record.replace(slip=msgspec.structs.replace(slip, branch=None))  # no join has a word in it now
        slot.fail(as_failure(error, stage=EGRESS, plugin="join"))
    else:
        slot.is_done = True


def _returned(message: Message) -> Slot:
    return Slot(waited(message), carrier=message.position)


def _slot(found: object, message: Message, stage: str) -> Slot:
    if isinstance(found, RecordError):
        slot = Slot(message)
        slot.fail(as_failure(found, stage=stage, plugin="link"))
        return slot
    return Slot(None, found, carrier=message.position)  # type: ignore[arg-type]  # a frame holds records and errors
