"""The way to another process: records that go on elsewhere become frames on their next stage's link topic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from headrace.core.plan.plan import Plan
from headrace.core.record import Outgoing
from headrace.core.wire.errors import PlanChangedError
from headrace.core.wire.frame import encode_frames, encode_record
from headrace.streams.bisect import Trap, as_failure
from headrace.streams.slot import Slot

__all__ = ["Outbound", "Shipment"]

Choose = Callable[[str, int], int]
"""Returns the partition of a topic for a batch's records that came from this partition of the input."""


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
    """

    def __init__(self, plan: Plan, stage: str, choose: Choose = same_partition) -> None:
        self._topics = {each.name: each.reads for each in plan.stages if each.reads is not None}
        self._hash, self._stage, self._link, self._choose = plan.hash, stage, plan.link, choose

    def pack(self, slots: Sequence[Slot]) -> list[Shipment]:
        """Return the frames for every slot that still has somewhere to go, in order of each partition."""
        ways: dict[tuple[str, int], list[tuple[Slot, bytes]]] = defaultdict(list)
        chosen: dict[tuple[str, int], int] = {}  # once a batch, or it would fall apart into as many frames as records
        for slot in slots:
            stage = slot.next_stage
            if stage is None or slot.record is None:
                continue
            with Trap() as trap:
                topic = self._topic(stage)
                packed = encode_record(slot.record, self._link.tensors)
                way = topic, slot.source.partition
                if way not in chosen:
                    chosen[way] = self._choose(*way)
                ways[topic, chosen[way]].append((slot, packed))
            if trap.error is not None:
                slot.fail(as_failure(trap.error, stage=self._stage, plugin="link"))
        return [shipment for way, packed in ways.items() for shipment in self._frames(way, packed)]

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
