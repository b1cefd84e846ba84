"""The way to another process: records that go on elsewhere become frames on their next stage's link topic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from headrace.core.plan.plan import Plan
from headrace.core.plan.stages import EGRESS
from headrace.core.record import Outgoing, Record
from headrace.core.routing.roll import Call, called
from headrace.core.wire.errors import PlanChangedError, ResultTooLargeError
from headrace.core.wire.frame import encode_call, encode_frames, encode_record
from headrace.streams.bisect import Trap, as_failure
from headrace.streams.slot import Slot

__all__ = ["Outbound", "Shipment", "same_partition"]

Choose = Callable[[str, int], int]
"""Returns the partition of a topic for a batch's records that came from this partition of the input."""


_FRAME_BYTES = 2048
"""What a frame and Kafka's batch around it take at most, beside the records."""

_Ways = dict[tuple[str, int, int | None], list[tuple[Slot, bytes]]]
"""By topic, partition, and the partition in whose transaction it is sent: packed records in order."""


class Shipment(NamedTuple):
    """A frame to be sent, and the slots whose records it holds."""

    message: Outgoing
    slots: list[Slot]


def same_partition(topic: str, partition: int) -> int:
    """Links are co-partitioned with the input, so that records of one key keep their order."""
    return partition


class Outbound:
    """Packs the records of a batch that go on in another process.

    Args:
        plan: says where each stage reads.
        stage: the stage that sends: the one whose batch this is.
        choose: the partition of a frame.
        links: topics of stages that the plan calls in this process, and that an earlier one gave a link.
    """

    def __init__(
        self, plan: Plan, stage: str, choose: Choose = same_partition, links: Mapping[str, str] | None = None
    ) -> None:
        # A frame is sent in one transaction, and each partition that is read has its own.
        self._is_apart = plan.delivery.guarantee == "exactly_once"
        self._topics = {each.name: each.reads for each in plan.stages if each.reads is not None} | dict(links or {})
        self._hash, self._stage, self._link, self._choose = plan.hash, stage, plan.link, choose
        self._meets = bool(plan.joins) or plan.keeps_turns
        self._called: dict[tuple[str, int], tuple[int, int]] = {}
        self._limits = {topic.name: topic.max_bytes for topic in plan.topics if topic.max_bytes is not None}

    def pack(self, slots: Sequence[Slot]) -> list[Shipment]:
        """Return the frames for every slot that still has somewhere to go, in order of each partition."""
        ways: _Ways = defaultdict(list)
        chosen: dict[tuple[str, int], int] = {}  # once a batch, or it would fall apart into as many frames as records
        for slot in slots:
            if not self._add(slot, ways, chosen) and self._is_awaited(slot):
                # Nobody must wait for it for ever: egress is told of the failure alone, which always can travel.
                slot.report()
                slot.record = slot.record and _bare(slot.record)
                self._add(slot, ways, chosen)
        return [shipment for way, packed in ways.items() for shipment in self._frames(way[:2], packed)]

    def call(self, slots: Sequence[Slot]) -> None:
        """Let the slots of ingress that were packed tell egress, before they are sent, whose turn comes after whose."""
        first: dict[tuple[str, int], Slot] = {}
        for slot in slots:
            first.setdefault(slot.source[:2], slot)
        sent = (slot.record for slot in slots if slot.record is not None and not slot.is_done)
        for (topic, partition, era), due in called(sent).items():
            before, since = self._called.get((topic, partition), (era, -1))
            call = Call(topic, partition, era, since if before == era else -1, due)
            self._called[topic, partition] = era, call.end
            data = encode_call(self._hash, self._stage, call)
            message = Outgoing(self._topic(EGRESS), None, data, partition=partition)
            first[topic, partition].outgoing.append(("call", message))

    def _add(self, slot: Slot, ways: _Ways, chosen: dict[tuple[str, int], int]) -> bool:
        """Add a record to those of its way, if it has one; False when it cannot go there."""
        stage, record = slot.next_stage, slot.record
        if stage is None or record is None:
            return True
        with Trap() as trap:
            topic = self._topic(stage)
            packed = encode_record(record, self._link.tensors)
            if self._is_awaited(slot):
                self._refuse_large(topic, len(packed))
            way = topic, slot.source.partition
            if stage == EGRESS and (self._meets or slot.is_branch):
                number = slot.source.partition  # they meet there, wherever their models were least behind
            else:
                number = chosen[way] if way in chosen else chosen.setdefault(way, self._choose(*way))
            ways[topic, number, slot.carrier.partition if self._is_apart else None].append((slot, packed))
        if trap.error is not None:
            slot.fail(as_failure(trap.error, stage=self._stage, plugin="link"))
        return trap.error is None

    def _is_awaited(self, slot: Slot) -> bool:
        """Whether others wait at egress for the end of this record: its join, or those of its key."""
        record = slot.record or slot.remains
        return slot.is_branch or (record is not None and record.in_turn)

    def _refuse_large(self, topic: str, size: int) -> None:
        """Refuse what the broker would: whoever waits for a record would never hear of its dead letter."""
        limit = self._limits.get(topic)
        if limit is not None and size > limit - _FRAME_BYTES:
            raise ResultTooLargeError(
                f"with {size:,} bytes the record is larger than {topic!r} takes", mend="let the model answer less"
            )

    def _topic(self, stage: str) -> str:
        topic = self._topics.get(stage)
        if topic is None:
            raise PlanChangedError(
                f"the record's next stage is {stage!r}, which this plan does not have", mend="redrive it"
            )
        return topic

    def _frames(self, way: tuple[str, int], packed: Sequence[tuple[Slot, bytes]]) -> list[Shipment]:
        topic, partition = way
        shipments, at = [], 0
        for data, count in encode_frames(self._hash, self._stage, (raw for _, raw in packed), self._link.max_bytes):
            slots = [slot for slot, _ in packed[at : at + count]]
            shipments.append(Shipment(Outgoing(topic, None, data, partition=partition), slots))
            at += count
        return shipments


def _bare(record: Record) -> Record:
    """Return what is needed of a branch that failed: whose it is, and why."""
    return record.replace(value=None, text="", headers=(), tags={}, output=None, tensors={})
