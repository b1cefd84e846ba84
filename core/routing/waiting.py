"""The joins of one partition: which records wait for more answers, and which have ended, so that late ones are dropped.

Pure: what came, in the order in which it lies on the link, and the times at which it was put there decide everything.
Whoever takes the same again after a crash comes to the same results.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from heapq import heappop, heappush
from typing import NamedTuple

import msgspec

from headrace.core.record import Position, Record
from headrace.core.routing.decision import Decision
from headrace.core.routing.ended import Ended
from headrace.core.routing.join import Verdict, is_enough, joined
from headrace.core.routing.part import Part, part_of

__all__ = ["Changes", "Joins", "Waiting"]


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A record that waits for more answers.

    Attributes:
        record: the first of its copies that came.
        digest: tells its decision and plan from others.
        era: the latest in which it was routed.
        due_ms: epoch milliseconds at which the wait ends; None when it has no deadline.
        parts: what came, by branch, in the order in which it came.
    """

    record: Record
    digest: bytes
    era: int
    due_ms: float | None
    parts: Mapping[int, Part]


class Changes(NamedTuple):
    """What has to be kept of the joins since they were asked last.

    Attributes:
        waiting: records that wait, with one more part.
        ended: by topic, the offsets that have ended; to be kept once all results of the batch are delivered.
        gone: positions that wait no longer; to be forgotten after `ended` is kept, since it makes up for them.
    """

    waiting: Sequence[Waiting]
    ended: Mapping[str, Ended]
    gone: Sequence[Position]


class Joins:
    """The joins of one partition of the link.

    Args:
        ended: by topic of the input, what has ended.
        waiting: what waits; what `ended` says of them goes before it.
    """

    def __init__(self, ended: Mapping[str, Ended] | None = None, waiting: Iterable[Waiting] = ()) -> None:
        self._ended = dict(ended or {})
        self._waiting: dict[Position, Waiting] = {}
        self._due: list[tuple[float, Position]] = []
        self._kept: set[Position] = set()
        self._changed: dict[Position, None] = {}
        self._decided: set[str] = set()
        self.late = 0
        """How many parts came after their record had ended."""
        for one in waiting:
            self._kept.add(one.record.source)
            if self._has_ended(one.record.source, one.era):
                self._changed[one.record.source] = None
            else:
                self._wait(one)

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def due_ms(self) -> float | None:
        """When the next wait ends; None when none does by time."""
        while self._due:
            due_ms, position = self._due[0]
            waiting = self._waiting.get(position)
            if waiting is not None and waiting.due_ms == due_ms:
                return due_ms
            heappop(self._due)
        return None

    @property
    def oldest_ms(self) -> float | None:
        """When the record that came first of those that wait began; None when none waits."""
        first = next(iter(self._waiting.values()), None)
        return None if first is None else first.record.begun_ms

    def take(self, record: Record, at_ms: float) -> Verdict | None:
        """Take a branch's answer; return the record's end if it is now decided.

        Args:
            record: a copy of a record, done or failed. `expire(at_ms)` was called before.
            at_ms: when it was put on the link, epoch milliseconds.
        """
        if self._has_ended(record.source, record.era):
            self.late += 1
            return None
        waiting = self._begun(record)
        if waiting is None:
            return None
        part = part_of(record)
        if _is_bare(waiting.record) and not _is_bare(record):
            waiting = msgspec.structs.replace(waiting, record=record)
        is_late = waiting.due_ms is not None and waiting.due_ms < at_ms  # then it is the first one, and too late
        if not is_late and part.branch not in waiting.parts:
            waiting = msgspec.structs.replace(waiting, parts={**waiting.parts, part.branch: part})
        self._wait(waiting)
        if is_late or is_enough(_decision(record), waiting.parts):
            return self._decide(waiting, is_late=is_late)
        self._changed[record.source] = None
        return None

    def first_due(self, now_ms: float) -> Position | None:
        """Return the record that `expire` would end first; None when no wait is over."""
        due_ms = self.due_ms
        return self._due[0][1] if due_ms is not None and due_ms < now_ms else None

    def expire(self, now_ms: float, *, most: int | None = None) -> list[Verdict]:
        """Return the ends of the records whose wait is over; nothing that was put on the link until then is unread.

        Args:
            now_ms: epoch milliseconds.
            most: end so many at most; None: all.
        """
        verdicts: list[Verdict] = []
        while len(verdicts) != most and (source := self.first_due(now_ms)) is not None:
            verdicts.append(self._decide(self._waiting[source], is_late=True))
        return verdicts

    def end(self, record: Record) -> None:
        """Note the end of a record that went another way; without it there would be a gap for every one of them."""
        self._end(record, record.era)

    def changes(self) -> Changes:
        """Return what has to be kept since the last call."""
        waiting = [self._waiting[position] for position in self._changed if position in self._waiting]
        gone = [position for position in self._changed if position in self._kept and position not in self._waiting]
        self._kept.update(one.record.source for one in waiting)
        self._kept.difference_update(gone)
        ended = {topic: self._ended[topic] for topic in sorted(self._decided)}
        self._changed, self._decided = {}, set()
        return Changes(waiting, ended, gone)

    def _begun(self, record: Record) -> Waiting | None:
        """Return what waits for this record; None when a later decision has taken the place of the record's own."""
        there, digest = self._waiting.get(record.source), _digest(record)
        deadline_ms = _decision(record).deadline_ms
        due_ms = None if deadline_ms is None else record.begun_ms + deadline_ms
        if there is None or there.digest != digest:
            if there is not None and record.era < there.era:
                return None
            return Waiting(record=record, digest=digest, era=record.era, due_ms=due_ms, parts={})
        if record.era > there.era:  # it is on its way once more, and has its time again
            return msgspec.structs.replace(there, era=record.era, due_ms=due_ms)
        return there

    def _wait(self, waiting: Waiting) -> None:
        position = waiting.record.source
        before = self._waiting.get(position)
        self._waiting[position] = waiting
        if waiting.due_ms is not None and (before is None or before.due_ms != waiting.due_ms):
            heappush(self._due, (waiting.due_ms, position))

    def _decide(self, waiting: Waiting, *, is_late: bool) -> Verdict:
        verdict = joined(waiting.record, waiting.parts, is_late=is_late)
        self._end(waiting.record, waiting.era)
        self._decided.add(waiting.record.source.topic)
        return verdict

    def _end(self, record: Record, era: int) -> None:
        source = record.source
        self._leave(source)
        since = min(record.since, source.offset) if record.since >= 0 else source.offset
        if since < source.offset:
            self._drop(source, since, era)
        self._ended.setdefault(source.topic, Ended()).add(since, source.offset + 1, era)

    def _drop(self, source: Position, since: int, era: int) -> None:
        """Let go of what waits at offsets that ingress, reading again, has ended by itself this time."""
        if source.offset - since <= len(self._waiting):
            near = [source._replace(offset=offset) for offset in range(since, source.offset)]
        else:
            near = [one for one in self._waiting if one.topic == source.topic and since <= one.offset < source.offset]
        for position in near:
            waiting = self._waiting.get(position)
            if waiting is not None and waiting.era <= era:
                self._leave(position)

    def _leave(self, position: Position) -> None:
        self._waiting.pop(position, None)
        if position in self._kept:
            self._changed[position] = None
        else:
            self._changed.pop(position, None)

    def _has_ended(self, position: Position, era: int) -> bool:
        ended = self._ended.get(position.topic)
        return ended is not None and ended.has(position.offset, era)


def _decision(record: Record) -> Decision:
    if record.slip is None:
        raise ValueError("the record has no slip")
    return record.slip.decision


def _is_bare(record: Record) -> bool:
    """Whether a copy may lack what others have: one that failed can have been too large to travel whole."""
    return record.slip is not None and record.slip.failed is not None


def _digest(record: Record) -> bytes:
    told = f"{record.plan} {_decision(record)!r}"
    return blake2b(told.encode("utf-8", "backslashreplace"), digest_size=8).digest()
