"""Egress's joins: takes the branches' answers as the link brings them, and says what has to be kept of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from headrace.core.record import Message, Position
from headrace.core.routing.waiting import Joins
from headrace.core.wire.state import StateReader, state_messages
from headrace.streams.fan import settle
from headrace.streams.meter import Meter
from headrace.streams.slot import Slot

__all__ = ["Joiner"]

Read = Sequence[tuple[Message, Sequence[Slot]]]
"""Messages of the link with the slots of the records in them; one without a value only tells the time."""


class Joiner:
    """The joins of every partition that is read here. Called by the thread of the steps, one batch at a time.

    Args:
        topic: keeps their state.
        meter: counts.
        is_cut: whether a batch may end before its messages do, because a record holds up its partition. Then each
            message keeps its own changes: what is delivered of a batch keeps what it did to the joins, all of it and
            nothing else, and what is read again finds them as they were. What lies on the state topic is then known
            here as well, or each time that a partition is held up all of it would be read again.
    """

    def __init__(self, topic: str, meter: Meter, *, is_cut: bool = False) -> None:
        self._topic, self._meter, self._is_cut = topic, meter, is_cut
        self._joins: dict[int, Joins] = {}
        self._kept: dict[int, StateReader] = {}
        self.due_ms: Mapping[int, float] = {}
        """By partition, when the next wait ends by time. Replaced as a whole, so other threads may read it."""
        self.waiting = 0
        """How many records wait."""
        self.oldest_ms: float | None = None
        """About when the one that waits longest began."""

    def restore(self, kept: Mapping[int, StateReader]) -> None:
        """Take what was kept of the partitions that are ours now; called while no batch is under way.

        Raises:
            StateUnreadableError: HR534.
        """
        found = {partition: reader.kept() for partition, reader in kept.items()}
        self._joins = {partition: Joins(one.ended, one.waiting) for partition, one in found.items()}
        self._kept = dict(kept) if self._is_cut else {}
        self._look()

    def delivered(self, slots: Sequence[Slot]) -> None:
        """Take note of what was kept with these slots: all of it lies on the state topic now."""
        if not self._is_cut:
            return
        during = [message for slot in slots for name, message in slot.outgoing if name == "state"]
        for message in (*during, *(message for slot in slots for message in slot.closing)):
            if message.partition is not None:
                self._kept.setdefault(message.partition, StateReader()).add(message.key, message.value)

    def rewind(self) -> None:
        """Go back to what was delivered, without reading it again; called while no batch is under way."""
        self.restore(self._kept)

    def run(self, read: Read) -> list[Slot]:
        """Join a batch; return its slots in order, and those of records whose wait is over.

        Every slot gets what is to be sent to keep the state: with the batch, and after it.
        """
        portions = [[one] for one in read] if self._is_cut else [read]
        slots = [slot for portion in portions for slot in self._joined(portion)]
        self._look()
        return slots

    def _joined(self, read: Read) -> list[Slot]:
        slots = [slot for message, own in read for slot in self._taken(message, own)]
        parted: dict[int, list[Slot]] = {}
        for slot in slots:
            parted.setdefault(slot.source.partition, []).append(slot)
        for partition, own in parted.items():
            self._keep(partition, own)
        return slots

    def _taken(self, message: Message, slots: Sequence[Slot]) -> Iterator[Slot]:
        at_ms = float(message.timestamp_ms)
        joins = self._joins.setdefault(message.position.partition, Joins())
        for verdict in joins.expire(at_ms):
            slot = Slot(None, verdict.record, carrier=message.position)
            settle(slot, verdict)
            yield slot
        for slot in slots:
            _take(joins, slot, at_ms)
            yield slot

    def _keep(self, partition: int, slots: Sequence[Slot]) -> None:
        joins = self._joins[partition]
        last: dict[Position, Slot] = {slot.source: slot for slot in slots}
        messages = state_messages(joins.changes(), self._topic, partition)
        for position, message in messages.waiting.items():
            last.get(position, slots[-1]).outgoing.append(("state", message))
        slots[-1].closing += messages.closing

    def _look(self) -> None:
        joins = self._joins
        self.due_ms = {partition: due for partition, one in joins.items() if (due := one.due_ms) is not None}
        self.waiting = sum(len(one) for one in joins.values())
        self.oldest_ms = min((begun for one in joins.values() if (begun := one.oldest_ms) is not None), default=None)
        late = sum(one.late for one in joins.values())
        for one in joins.values():
            one.late = 0
        self._meter.joins(self.waiting, late)


def _take(joins: Joins, slot: Slot, at_ms: float) -> None:
    """Let a slot wait with others, end by their join, or pass."""
    if slot.is_branch:
        slot.report()  # when it is skipped
        if slot.record is None:
            return
        verdict = joins.take(slot.record, at_ms)
        if verdict is None:
            slot.is_done = True
        else:
            settle(slot, verdict)
        return
    record = slot.record or slot.remains
    if record is None:  # it could not be read
        return
    joins.end(record)
    if slot.record is not None and record.slip is not None and record.slip.failed is not None:
        slot.fail(record.slip.failed)
