"""Whose turn it is to leave egress, where the order of a key holds whichever ways its records take (`order: key`).

Ingress calls the roll: it tells egress, in the order of a partition, which records it has sent on. Egress lets a record
leave once its own call has come and every record of its key before it in the partition has ended. Pure: the calls and
the ends, as they lie on the link, decide everything.

A call bears the era in which ingress read, and how far that era had called before. What is read again is called again,
in another era, and whichever copy ends first has the record's turn. A call that does not go on where the last one of
its era ended tells of one that was lost: then ingress reads again, and calls all of it anew.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import NamedTuple

from headrace.core.record import Position, Record
from headrace.core.routing.roll import Call, KeptTurns, RollId, TurnChanges

__all__ = ["Turns"]

Line = tuple[str, int, bytes]
"""Topic, partition and digest of a key: records of one line leave one after the other."""

MOST_APART = 3
"""Two batches are in flight at once. If more calls come after a gap, ingress does not read again: the link was cut."""

MOST_ERAS = 16
"""So many are remembered: a copy of an earlier one is a result that comes twice, at worst."""


class _Due(NamedTuple):
    line: Line
    roll: RollId


class Turns:
    """The turns of one partition of egress's link.

    Args:
        kept: what was kept of them.
        is_over: whether nobody waits any more, since the plan no longer asks for it: all that is kept may leave.
    """

    def __init__(self, kept: KeptTurns = KeptTurns(), *, is_over: bool = False) -> None:  # noqa: B008 - of a tuple, and never altered
        self._marks = {topic: dict(marks) for topic, marks in kept.marks.items()}
        self._rolls: dict[RollId, dict[int, bytes]] = {}
        self._due: dict[Position, _Due] = {}
        self._lines: dict[Line, list[int]] = {}
        self._held: dict[Position, Record] = {}
        self._early: set[Position] = set()
        self._apart: dict[str, list[Call]] = {}
        self._kept_rolls, self._kept_held = set(kept.rolls), dict[Position, int]()
        self._marked: set[str] = set()
        self._touched: set[RollId] = set()
        self._grown: dict[RollId, dict[int, bytes]] = {}
        self._moved: dict[Position, None] = {}
        self._gone: list[tuple[Position, int]] = []
        self.late = 0
        """How many ends came of records that had left already."""
        self._stalled: list[Position] = []
        self._is_over = is_over
        self._restore(kept)

    def __len__(self) -> int:
        return len(self._held)

    @property
    def oldest_ms(self) -> float | None:
        """When the record that came first of those that wait began; None when none waits."""
        first = next(iter(self._held.values()), None)
        return None if first is None else first.begun_ms

    @property
    def due(self) -> int:
        """How many records have been called and have not left."""
        return len(self._due)

    @property
    def awaited(self) -> Position | None:
        """The record whose end the first of those that wait waits for; None when nothing waits, or nobody knows."""
        first = next(iter(self._held), None)
        due = None if first is None else self._due.get(first)
        offsets = self._lines.get(due.line) if due is not None else None
        head = Position(due.line[0], due.line[1], offsets[0]) if due is not None and offsets else None
        return head if head is not None and self.is_missing(head) else None

    def is_missing(self, position: Position) -> bool:
        """Whether a record was called and has not ended."""
        return position in self._due and position not in self._held

    @property
    def is_stalled(self) -> bool:
        """Whether some of what was kept may be able to leave."""
        return bool(self._stalled)

    def begin(self) -> list[Record]:
        """Return what could have left when the turns were restored, once."""
        positions, self._stalled = sorted(self._stalled), []
        left: list[Record] = []
        for position in positions:
            due = self._due.get(position)
            if due is not None and not self._is_over:
                left += self._leave(due.line)
            elif position in self._held:
                left.append(self._let_go(position))
        if self._is_over:
            for position in [*self._due]:
                self._strike(position)
        return left

    def call(self, call: Call) -> list[Record]:
        """Take a call; return the records whose turn it is now."""
        ready = self.begin()
        if self._is_over:
            return ready
        apart = (one for one in self._apart.pop(call.topic, ()) if one.era == call.era)
        calls = sorted([*apart, call], key=lambda one: one.since)
        if len(calls) > MOST_APART and calls[0].since > self._called_until(call):
            self._marks.setdefault(call.topic, {})[call.era] = calls[0].since, calls[0].since
        while calls and calls[0].since <= self._called_until(call):
            ready += self._called(calls.pop(0))
        if calls:
            self._apart[call.topic] = calls
        return ready

    def take(self, record: Record) -> list[Record]:
        """Take a record that has ended; return the records whose turn it is now."""
        ready, position = self.begin(), record.source
        if not record.in_turn or self._is_over:
            return [*ready, record]
        ready += self._unsent(record)
        due = self._due.get(position)
        if position in self._held:
            return ready
        if due is None and self._has_left(record):
            self.late += 1
            return ready
        if due is None and self._is_passed_over(record):
            return [*ready, record]
        self._held[position] = record
        self._moved[position] = None
        if due is None:
            self._early.add(position)
            return ready
        return ready + self._leave(due.line)

    def end(self, position: Position) -> list[Record]:
        """Note that a record ended in a way that needs no turn; return the records whose turn it is now."""
        ready, due = self.begin(), self._due.get(position)
        if due is not None and position not in self._held:
            self._strike(position)
            ready += self._leave(due.line)
        return ready

    def changes(self) -> TurnChanges:
        """Return what has to be kept since the last call."""
        due = {roll: dict(self._rolls.get(roll, {})) for roll in sorted(self._touched)}
        # All of a call, and all calls or none: were those left out that have left by now, and the results lost by a
        # crash, what is read again would not wait for them.
        new = {roll: {**due[roll], **grown} for roll, grown in self._grown.items()}
        new = new if any(due[roll] for roll in new) else {}
        self._kept_rolls.update(new)
        shorter = {roll: rest for roll, rest in due.items() if roll in self._kept_rolls and new.get(roll) != rest}
        self._kept_rolls.difference_update(roll for roll, rest in shorter.items() if not rest)
        kept = self._kept_held
        held = [self._held[one] for one in self._moved if one in self._held and one not in kept]
        gone = [(one, kept.pop(one)) for one in self._moved if one not in self._held and one in kept]
        kept.update((record.source, record.era) for record in held)
        marks = {topic: dict(self._marks[topic]) for topic in sorted(self._marked)}
        gone += self._gone
        self._marked, self._touched, self._grown, self._moved, self._gone = set(), set(), {}, {}, []
        return TurnChanges(new, held, marks, shorter, gone)

    def _called_until(self, call: Call) -> int:
        """Return how far its era has called."""
        return self._marks.get(call.topic, {}).get(call.era, (0, -1))[1]

    def _called(self, call: Call) -> list[Record]:
        marks = self._marks.setdefault(call.topic, {})
        since, mark = marks.get(call.era, (0, 0))
        begin = max(mark, *(end for era, (_, end) in marks.items() if era > call.era), 0)
        new = [(offset, digest) for offset, digest in call.due if offset >= begin]
        roll = RollId(call.topic, call.partition, call.era, new[0][0] if new else 0)
        for offset, digest in new:
            self._enrol(roll, offset, digest)
        if call.end > mark:
            marks[call.era] = since, call.end
            self._marked.add(call.topic)
        if len(marks) > MOST_ERAS:
            del marks[next(iter(marks))]
        lines = dict.fromkeys((call.topic, call.partition, digest) for _, digest in new)
        return [record for line in lines for record in self._leave(line)] + self._passed_over()

    def _enrol(self, roll: RollId, offset: int, digest: bytes) -> None:
        position, line = Position(roll.topic, roll.partition, offset), (roll.topic, roll.partition, digest)
        if position in self._due:  # called before, in another era; steps may have given it another key since
            self._strike(position)
        self._due[position] = _Due(line, roll)
        self._rolls.setdefault(roll, {})[offset] = digest
        self._touched.add(roll)
        self._grown.setdefault(roll, {})[offset] = digest
        self._early.discard(position)
        heappush(self._lines.setdefault(line, []), offset)

    def _strike(self, position: Position) -> None:
        """Take a record off its roll; its line finds that out later."""
        roll = self._due.pop(position).roll
        self._rolls[roll].pop(position.offset)
        if not self._rolls[roll]:
            del self._rolls[roll]
        self._touched.add(roll)

    def _leave(self, line: Line) -> list[Record]:
        """Let leave what has ended at the head of a line."""
        left: list[Record] = []
        offsets = self._lines.get(line, [])
        while offsets:
            position = Position(line[0], line[1], offsets[0])
            due = self._due.get(position)
            if due is not None and due.line == line:
                if position not in self._held:
                    return left
                left.append(self._let_go(position))
                self._strike(position)
            heappop(offsets)
        self._lines.pop(line, None)
        return left

    def _let_go(self, position: Position) -> Record:
        self._moved[position] = None
        self._early.discard(position)
        return self._held.pop(position)

    def _passed_over(self) -> list[Record]:
        """Let leave what waits for a call and is passed over by one: ingress began elsewhere, and calls it no more."""
        past = sorted(position for position in self._early if self._is_passed_over(self._held[position]))
        return [self._let_go(position) for position in past]

    def _has_left(self, record: Record) -> bool:
        """Whether a record that is not due was called: then it has left."""
        since, end = self._marks.get(record.source.topic, {}).get(record.era, (0, 0))
        return since <= record.source.offset < end

    def _is_passed_over(self, record: Record) -> bool:
        """Whether its call will not come: neither its era nor a later one called it, and it went on behind it."""
        marks = self._marks.get(record.source.topic, {})
        return any(era >= record.era and record.source.offset < end for era, (_, end) in marks.items())

    def _unsent(self, record: Record) -> list[Record]:
        """Let nobody wait for what ingress, reading again, has ended by itself this time."""
        topic, partition, offset = record.source
        if not 0 <= record.since < offset:
            return []
        if offset - record.since <= len(self._due):
            near = [Position(topic, partition, at) for at in range(record.since, offset)]
        else:
            near = sorted(one for one in self._due if one.topic == topic and record.since <= one.offset < offset)
        past = [one for one in near if (due := self._due.get(one)) is not None and due.roll.era < record.era]
        return [left for one in past for left in self.end(one)]

    def _restore(self, kept: KeptTurns) -> None:
        for roll in sorted(kept.rolls, key=lambda one: one.era):
            for offset, digest in kept.rolls[roll].items():
                self._enrol(roll, offset, digest)
        self._touched = {roll for roll in self._touched if self._rolls.get(roll) != kept.rolls[roll]}
        self._grown.clear()
        for record in kept.held:
            position = record.source
            if position in self._held:
                self._gone.append((position, record.era))
                continue
            self._held[position] = record
            self._kept_held[position] = record.era
            if position not in self._due:
                self._early.add(position)
            # Where it has left already a crash came before it was forgotten: it leaves again rather than never.
            if self._is_over or position in self._due or self._is_passed_over(record):
                self._stalled.append(position)
