"""Records that do not end yet: they hold up their partition until what ails them passes, or for good, or wait aside."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from headrace.core.config.pipeline import Delivery
from headrace.core.failure import Failure
from headrace.core.record import Position
from headrace.core.wire.errors import SkippedError
from headrace.core.wire.retry import tried_since_ms
from headrace.streams.slot import Slot

__all__ = ["Held", "HeldError", "HoldRules", "Holding"]

FIRST_S = 1.0
LONGEST_S = 30.0

Tp = tuple[str, int]
"""A topic and a partition of it."""


class Held(NamedTuple):
    """A record that does not end.

    Attributes:
        carrier: where the message lies that brought it: nothing from there on is done.
        source: where its own message lies.
        failure: what it failed with.
        is_final: whether the worker stops for it.
    """

    carrier: Position
    source: Position
    failure: Failure
    is_final: bool

    @property
    def tp(self) -> Tp:
        """The partition that it holds up."""
        return self.carrier.topic, self.carrier.partition


class HeldError(Exception):
    """A batch was done up to records that hold up their partitions."""

    def __init__(self, held: Sequence[Held]) -> None:
        super().__init__(f"{len(held)} partitions are held up")
        self.held = tuple(held)


@dataclass(frozen=True)
class HoldRules:
    """What the file says of failed records.

    Attributes:
        stops: whether any of them stops the worker.
        pauses: whether one that may pass holds up its partition.
        patience_s: for how long at most.
        retries: whether one that may pass waits in a topic, for so long at most.
    """

    stops: bool = False
    pauses: bool = False
    patience_s: float = 0.0
    retries: bool = False

    @classmethod
    def of(cls, delivery: Delivery) -> HoldRules:
        """Return what this part of the file says."""
        slow = delivery.slow
        return cls(delivery.on_failure == "stop", slow == "pause", delivery.patience / 1000, slow == "retry_topic")

    @property
    def cuts(self) -> bool:
        """Whether a batch may be done up to one of its messages only."""
        return self.stops or self.pauses


@dataclass
class _Wait:
    """A partition that waits: for which message, since when, how often it was tried, and until when."""

    carrier: Position
    since: float
    until: float
    rounds: int
    why: str


class Holding:
    """Decides which failed records of a stage hold up their partition, and for how long.

    The thread of the steps asks `begin`, `holds`, `waits` and `cut`, the loop everything else.

    A branch of a parallel route may be waited for like any record, and where its model is: other answers wait at
    egress meanwhile. But no worker stops for one, and none waits aside alone. The join is told of it, and only what the
    join comes to can fail, or wait.

    Args:
        rules: what the file says.
        clock: monotonic seconds.
        now_s: seconds since the epoch, by which records wait aside.
    """

    def __init__(
        self,
        rules: HoldRules,
        clock: Callable[[], float] = time.monotonic,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._rules, self._clock, self._now_s = rules, clock, now_s
        self._begun_s = now_s()
        self._waits: dict[Tp, _Wait] = {}
        self._resting: dict[Tp, float] = {}
        self._judged: float | None = None
        self._is_skipped: Callable[[Slot], bool] = lambda slot: False

    def begin(self, is_skipped: Callable[[Slot], bool]) -> None:
        """Begin a batch, of which everything is judged alike.

        Args:
            is_skipped: tells which slots are to be passed over, since their message or their record is: whatever a
                message brought, also the end of what had waited with others, nothing of it holds up the partition.
        """
        self._judged, self._is_skipped, self._begun_s = self._clock(), is_skipped, self._now_s()

    def holds(self, slot: Slot) -> bool:
        """Whether the failure of a slot holds up its partition instead of ending the record."""
        if not slot.failures or self._is_skipped(slot):
            return False
        return self.waits(slot) or any(self._is_final(slot, failure) for failure in slot.failures)

    @property
    def may_hold(self) -> bool:
        """Whether a failure may hold up a partition at all."""
        return self._rules.cuts

    def waits(self, slot: Slot) -> bool:
        """Whether a slot holds up its partition because its failure may pass."""
        if self._is_skipped(slot):
            return False
        return any(self._is_waited_for(slot, failure) for failure in slot.failures)

    def is_aside(self, slot: Slot) -> bool:
        """Whether a slot, or one of its outputs, is to wait aside: nothing else becomes of that for now."""
        return any(self._is_for_later(slot, failure) for failure in slot.failures)

    def set_aside(self, slots: Iterable[Slot]) -> None:
        """Mark the failures for which records wait aside instead of being dead letters."""
        if not self._rules.retries:
            return
        for slot in slots:
            if slot.failure is not None and self._is_for_later(slot, slot.failure):
                slot.failure = msgspec.structs.replace(slot.failure, waits=True)
            slot.dead = [
                msgspec.structs.replace(one, waits=True) if self._is_for_later(slot, one) else one for one in slot.dead
            ]

    @property
    def passes_on(self) -> bool:
        """Whether egress is told of a failure that may pass, for there the record can still wait aside."""
        return self._rules.retries

    def cut(self, slots: Sequence[Slot]) -> tuple[list[Slot], list[Held]]:
        """Return the slots before the first of each partition that holds it up, and those first ones."""
        first: dict[Tp, Held] = {}
        for slot in slots if self.may_hold else ():
            tp = slot.carrier.topic, slot.carrier.partition
            if tp not in first and self.holds(slot):
                first[tp] = self._held(slot)
        if not first:
            return list(slots), []
        return [slot for slot in slots if _is_before(slot, first)], list(first.values())

    def note(self, held: Sequence[Held]) -> None:
        """Let partitions wait, longer each time for the same message."""
        for one in held:
            before, now = self._waits.get(one.tp), self._clock()
            is_again = before is not None and before.carrier == one.carrier
            rounds = before.rounds + 1 if before is not None and is_again else 1
            since = before.since if before is not None and is_again else now
            wait_s = min(LONGEST_S, FIRST_S * 2 ** (rounds - 1)) * random.uniform(0.75, 1.25)
            why = f"{one.source} waits: {one.failure.code} {one.failure.message}"
            self._waits[one.tp] = _Wait(one.carrier, since, now + wait_s, rounds, why)

    def waiting(self) -> Mapping[Tp, str]:
        """Return the partitions that are not to be read now, and why."""
        now = self._clock()
        self._resting = {tp: until for tp, until in self._resting.items() if now < until}
        held = {tp: wait.why for tp, wait in self._waits.items() if now < wait.until}
        return {**dict.fromkeys(self._resting, "what lies next is not due"), **held}

    def rest(self, tp: Tp, for_s: float) -> None:
        """Let a partition alone for a while: what lies next in it is not due."""
        self._resting[tp] = self._clock() + for_s

    def passed(self, offsets: Mapping[Tp, int]) -> None:
        """Forget what waited before these offsets: it is through."""
        for tp, offset in offsets.items():
            wait = self._waits.get(tp)
            if wait is not None and offset > wait.carrier.offset:
                del self._waits[tp]

    def known(self, tps: Collection[Tp]) -> Mapping[Tp, str]:
        """Return those of these partitions that are held up, whether or not it is time to try again, and why."""
        return {tp: wait.why for tp, wait in self._waits.items() if tp in tps}

    def _is_waited_for(self, slot: Slot, failure: Failure) -> bool:
        if not (self._rules.pauses and failure.is_transient):
            return False
        wait = self._waits.get((slot.carrier.topic, slot.carrier.partition))
        if wait is None or wait.carrier != slot.carrier:
            return True
        now = self._clock() if self._judged is None else self._judged
        return now - wait.since < self._rules.patience_s

    def _is_final(self, slot: Slot, failure: Failure) -> bool:
        if not self._rules.stops or failure.code == SkippedError.code or slot.is_branch:
            return False
        return not self._is_for_later(slot, failure)

    def _is_for_later(self, slot: Slot, failure: Failure) -> bool:
        if not (self._rules.retries and failure.is_transient) or slot.is_branch or self._is_skipped(slot):
            return False
        since_ms = tried_since_ms(slot.headers)
        return since_ms is None or self._begun_s - since_ms / 1000 < self._rules.patience_s

    def _held(self, slot: Slot) -> Held:
        failures = slot.failures
        failure = next(it for it in failures if self._is_waited_for(slot, it) or self._is_final(slot, it))
        is_final = not self._is_waited_for(slot, failure)
        return Held(slot.carrier, slot.source, failure, is_final)


def _is_before(slot: Slot, first: Mapping[Tp, Held]) -> bool:
    held = first.get((slot.carrier.topic, slot.carrier.partition))
    return held is None or slot.carrier.offset < held.carrier.offset
