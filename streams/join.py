"""Egress's joins and turns: takes what the link brings, says which records leave, and what is kept of the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from headrace.core.plan.stages import EGRESS
from headrace.core.record import Message, Position, Record
from headrace.core.routing.roll import Call
from headrace.core.routing.turn import Turns
from headrace.core.routing.waiting import Joins
from headrace.core.wire.frame import encode_record
from headrace.core.wire.state import Kept, StateReader, state_messages
from headrace.core.wire.turns import turn_messages
from headrace.streams.bisect import skipped
from headrace.streams.fan import settle
from headrace.streams.meter import Meter
from headrace.streams.slot import Slot

__all__ = ["FULL_BYTES", "FULL_RECORDS", "Joiner", "Read"]

FULL_BYTES = 32 << 20
FULL_RECORDS = 50_000
"""Of one partition. What waits is held in memory: from here on ingress reads no more of it until half has left."""


class Read(NamedTuple):
    """A message of the link; one without an offset only tells the time, with a key to the record alone that ends first.

    Attributes:
        message: as Kafka gave it.
        slots: of the records in it.
        call: which records ingress has sent on, if it tells that.
    """

    message: Message
    slots: Sequence[Slot]
    call: Call | None = None


class Joiner:
    """The joins of every partition that is read here, and the turns in which records leave.

    Called by the thread of the steps, one batch at a time.

    Args:
        topic: keeps their state.
        meter: counts.
        is_cut: whether a batch may end before its messages do, because a record holds up its partition. Then each
            message keeps its own changes: what is delivered of a batch keeps what it did to the joins, all of it and
            nothing else, and what is read again finds them as they were. What lies on the state topic is then known
            here as well, or each time that a partition is held up all of it would be read again.
        in_turn: whether records wait for those of their key before them; if not, what waited under another plan leaves.
        skipped: returns the records that are to be passed over, as `topic:partition:offset`.
    """

    def __init__(
        self,
        topic: str,
        meter: Meter,
        *,
        is_cut: bool = False,
        in_turn: bool = False,
        skipped: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._topic, self._meter, self._is_cut, self._in_turn = topic, meter, is_cut, in_turn
        self._skipped = skipped
        self._joins: dict[int, Joins] = {}
        self._kept: dict[int, StateReader] = {}
        self._turns: dict[int, Turns] = {}
        self._sizes: dict[int, dict[Position, int]] = {}
        self.full: Mapping[int, int] = {}
        """By partition that is full, how many records are under way. Replaced as a whole."""
        self.due_ms: Mapping[int, float] = {}
        """By partition, when the next wait ends by time. Replaced as a whole, so other threads may read it."""
        self.waiting = 0
        """How many records wait, for answers or their turn."""
        self.awaited: Position | None = None
        """A record that others of its key wait for."""
        self.oldest_ms: float | None = None
        """About when the one that waits longest began."""

    def restore(self, kept: Mapping[int, StateReader]) -> None:
        """Take what was kept of the partitions that are ours now; called while no batch is under way.

        Raises:
            StateUnreadableError: HR534.
        """
        found = {partition: reader.kept() for partition, reader in kept.items()}
        self._joins = {partition: Joins(one.ended, one.waiting) for partition, one in found.items()}
        self._turns = {partition: Turns(one.turns, is_over=not self._in_turn) for partition, one in found.items()}
        self._sizes = {partition: _sizes(one) for partition, one in found.items()}
        self.full = {}
        self._kept = dict(kept) if self._is_cut else {}
        self._look()

    def passed_over(self) -> Mapping[int, Sequence[Position]]:
        """Return by partition the records that are to be passed over and whose end others of their key wait for."""
        asked = [found for said in self._skipped() if (found := _position(said)) is not None]
        if not asked:
            return {}
        missing = {at: [one for one in asked if turns.is_missing(one)] for at, turns in [*self._turns.items()]}
        return {partition: found for partition, found in missing.items() if found}

    def first_due(self, partition: int, now_ms: float) -> Position | None:
        """Return the record of a partition that ends first by time; called while no batch is under way."""
        joins = self._joins.get(partition)
        return None if joins is None else joins.first_due(now_ms)

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

    def run(self, read: Sequence[Read]) -> list[Slot]:
        """Join a batch; return its slots in order, and those of records whose wait is over.

        Every slot gets what is to be sent to keep the state: with the batch, and after it.
        """
        portions = [[one] for one in read] if self._is_cut else [read]
        slots = [slot for portion in portions for slot in self._joined(portion)]
        self._look()
        return slots

    def _joined(self, read: Sequence[Read]) -> list[Slot]:
        slots = [slot for one in read for slot in self._left(one)]
        parted: dict[int, list[Slot]] = {}
        for slot in slots:
            parted.setdefault(slot.carrier.partition, []).append(slot)
        for partition, own in parted.items():
            self._keep(partition, own)
        return slots

    def _left(self, read: Read) -> Iterator[Slot]:
        """Yield the slots of a message, and of what leaves because of it: now that its turn has come."""
        place = read.message.position
        turns = self._turns.setdefault(place.partition, Turns(is_over=not self._in_turn))
        begun = turns.begin() if read.call is None else turns.call(read.call)
        if read.call is not None or begun:
            bearer = Slot(None, source=place._replace(offset=max(0, place.offset)), carrier=place)
            bearer.is_done = True  # it bears what is to be kept of the call
            yield bearer
        yield from (_leaving(record, place) for record in begun)
        # Once all that lies on the link is read, and its end is not there: it is elsewhere, or lost.
        for position in self.passed_over().get(place.partition, ()) if place.offset < 0 else ():
            slot = Slot(None, source=position, carrier=place)
            slot.fail(skipped(EGRESS))
            yield slot
            yield from (_leaving(record, place) for record in turns.end(position))
        joins = self._joins.setdefault(place.partition, Joins())
        late = joins.late
        for slot in self._taken(read.message, read.slots):
            yield from self._in_order(turns, slot, place)
            if joins.late > late:  # nothing more comes of it: nobody may wait for it, whatever the eras say
                late = joins.late
                yield from (_leaving(record, place) for record in turns.end(slot.source))

    def _in_order(self, turns: Turns, slot: Slot, carrier: Position) -> Iterator[Slot]:
        """Yield a slot, and what leaves now that its record has ended; that may wait for its turn itself."""
        failed = slot.remains if slot.record is None else None
        if failed is not None and failed.in_turn:
            slot.report()
        record = slot.record
        if record is None or slot.is_done:
            yield slot
            if failed is not None:  # it cannot wait, and needs no turn: it becomes a dead letter
                yield from (_leaving(one, carrier) for one in turns.end(slot.source))
            return
        left = turns.take(record)
        if not any(one is record for one in left):
            slot.record, slot.is_done = None, True
            yield slot
        for one in left:
            if one is record and failed is not None and record.slip is not None and record.slip.failed is not None:
                slot.fail(record.slip.failed)
            yield slot if one is record else _leaving(one, carrier)

    def _taken(self, message: Message, slots: Sequence[Slot]) -> Iterator[Slot]:
        at_ms = float(message.timestamp_ms)
        joins = self._joins.setdefault(message.position.partition, Joins())
        for verdict in joins.expire(at_ms, most=None if message.position.offset >= 0 or message.key is None else 1):
            slot = Slot(None, verdict.record, carrier=message.position)
            settle(slot, verdict)
            yield slot
        for slot in slots:
            _take(joins, slot, at_ms)
            yield slot

    def _keep(self, partition: int, slots: Sequence[Slot]) -> None:
        last: dict[Position, Slot] = {slot.source: slot for slot in slots}
        joined = self._joins[partition].changes()
        messages = state_messages(joined, self._topic, partition)
        changes = self._turns[partition].changes()
        turns = turn_messages(changes, self._topic, partition)
        sizes = self._sizes.setdefault(partition, {})
        for position in joined.gone:
            sizes.pop(position, None)
        kept = (*messages.waiting.items(), *turns.held.items())
        sizes |= {position: len(message.value or b"") for position, message in kept}
        for position, _ in changes.gone:
            sizes.pop(position, None)
        for position, message in kept:
            last.get(position, slots[-1]).outgoing.append(("state", message))
        slots[-1].outgoing += [("state", message) for message in turns.rolls]
        slots[-1].closing = [*slots[-1].closing, *messages.closing, *turns.closing]

    def _is_full(self, partition: int) -> bool:
        share = 2 if partition in self.full else 1
        size = sum(self._sizes.get(partition, {}).values())
        return size * share > FULL_BYTES or self._under_way(partition) * share > FULL_RECORDS

    def _under_way(self, partition: int) -> int:
        """Return how many records egress knows of that have not left."""
        waiting = self._joins.get(partition, ())
        return max(self._turns[partition].due, len(waiting))

    def _look(self) -> None:
        joins, turns = self._joins, self._turns
        both: tuple[Joins | Turns, ...] = (*joins.values(), *turns.values())
        self.due_ms = {partition: due for partition, one in joins.items() if (due := one.due_ms) is not None}
        self.due_ms |= {partition: 0.0 for partition, one in turns.items() if one.is_stalled}
        self.full = {partition: self._under_way(partition) for partition in turns if self._is_full(partition)}
        self.waiting = sum(len(one) for one in both)
        self.awaited = next((found for one in turns.values() if (found := one.awaited) is not None), None)
        self.oldest_ms = min((begun for one in both if (begun := one.oldest_ms) is not None), default=None)
        late = sum(one.late for one in both)
        for one in both:
            one.late = 0
        self._meter.joins(self.waiting, late)


def _sizes(kept: Kept) -> dict[Position, int]:
    """Return the bytes of what waits, without the answers that came."""
    waiting = [*(one.record for one in kept.waiting), *kept.turns.held]
    return {record.source: len(encode_record(record)) for record in waiting}


def _position(said: str) -> Position | None:
    topic, partition, offset = ("", "", *said.rsplit(":", 2))[-3:]
    return Position(topic, int(partition), int(offset)) if partition.isdigit() and offset.isdigit() else None


def _leaving(record: Record, carrier: Position) -> Slot:
    slot = Slot(None, record, carrier=carrier)
    if record.slip is not None and record.slip.failed is not None:
        slot.fail(record.slip.failed)
    return slot


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
