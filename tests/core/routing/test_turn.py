"""Whose turn it is to leave: each key in the order of its partition, whatever overtakes, is killed, or read again.

The laws are looked for in a play of ingress, models and egress with lists for topics: it would prove nothing if nobody
ever waited, so that is counted as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.record import Outgoing, Record
from headrace.core.routing.roll import Call, called, key_digest
from headrace.core.routing.turn import Turns
from headrace.core.wire.state import StateReader
from headrace.core.wire.turns import turn_messages
from tests.support.made import HERE, record

STATE = "reviews.state.egress"


def at(offset: int, key: str = "ann", *, era: int = 1, since: int = -1) -> Record:
    where = HERE._replace(offset=offset)
    return record(source=where, key=key.encode(), era=era, since=since, in_turn=True)


def call(*records: Record, since: int = -1) -> Call:
    ((where, due),) = called(records).items()
    return Call(*where, since, due)


def offsets(records: Sequence[Record]) -> list[int]:
    return [one.source.offset for one in records]


def test_a_record_waits_for_those_of_its_key_before_it_and_for_no_other() -> None:
    turns = Turns()
    assert turns.call(call(at(0), at(1, "bob"), at(2), at(3))) == []
    assert offsets(turns.take(at(3))) == []
    assert offsets(turns.take(at(1, "bob"))) == [1]
    assert offsets(turns.take(at(2))) == []
    assert (len(turns), turns.due) == (2, 3)
    assert offsets(turns.take(at(0))) == [0, 2, 3]
    assert (len(turns), turns.due) == (0, 0)


def test_a_record_that_comes_before_its_call_waits_for_it() -> None:
    turns = Turns()
    assert turns.take(at(1)) == []
    assert turns.call(call(at(0), at(1))) == []
    assert offsets(turns.take(at(0))) == [0, 1]


def test_a_record_that_is_not_called_by_any_plan_passes() -> None:
    turns = Turns()
    assert offsets(turns.take(at(7).replace(in_turn=False))) == [7]


def test_what_ended_without_a_turn_holds_up_nobody() -> None:
    turns = Turns()
    turns.call(call(at(0), at(1)))
    turns.take(at(1))
    assert offsets(turns.end(at(0).source)) == [1]


def test_a_copy_of_what_has_left_is_dropped() -> None:
    turns = Turns()
    turns.call(call(at(0)))
    assert offsets(turns.take(at(0))) == [0]
    assert (turns.take(at(0)), turns.late) == ([], 1)


def test_what_is_read_again_leaves_once_if_no_copy_has_left() -> None:
    turns = Turns()
    turns.call(call(at(0), at(1)))
    turns.call(call(at(0, era=2), at(1, era=2)))
    assert turns.take(at(1, era=2)) == []
    assert offsets(turns.take(at(0))) == [0, 1]
    assert turns.take(at(1)) == turns.take(at(0, era=2)) == []


def test_an_ingress_that_lost_its_partition_lets_nobody_wait_for_what_it_sends_late() -> None:
    turns = Turns()
    turns.call(call(at(0, era=2)))
    turns.take(at(0, era=2))
    turns.call(call(at(0), at(1)))
    assert turns.due == 1
    turns.call(call(at(1, era=2), since=1))
    assert offsets(turns.take(at(1, era=2))) == [1]


def test_a_call_after_a_lost_one_waits_until_ingress_reads_again() -> None:
    turns = Turns()
    turns.call(call(at(0)))
    turns.take(at(0))
    assert turns.call(call(at(2), since=2)) == []
    assert offsets(turns.take(at(2))) == []
    turns.call(call(at(1, era=2), at(2, era=2)))
    assert offsets(turns.take(at(1, era=2))) == [1, 2]


def test_a_call_that_comes_after_the_next_one_is_put_before_it() -> None:
    turns = Turns()
    turns.call(call(at(0)))
    turns.take(at(0))
    turns.call(call(at(2), since=2))
    assert offsets(turns.take(at(2))) == []
    assert turns.call(call(at(1), since=1)) == []
    assert offsets(turns.take(at(1))) == [1, 2]


def test_calls_that_go_on_after_a_gap_are_believed_and_what_lay_in_it_leaves() -> None:
    turns = Turns()
    turns.call(call(at(0)))
    assert turns.take(at(1)) == []
    left = [offsets(turns.call(call(at(n, "bob"), since=n))) for n in range(2, 6)]
    assert left == [[], [], [], [1]]
    assert offsets(turns.take(at(2, "bob"))) == [2]


def test_a_record_that_nobody_will_call_leaves() -> None:
    turns = Turns()
    assert turns.take(at(3)) == []
    assert offsets(turns.call(call(at(9, era=2)))) == [3]
    assert offsets(turns.take(at(4))) == [4]


def test_nobody_waits_for_what_ingress_ended_itself_when_it_read_again() -> None:
    turns = Turns()
    turns.call(call(at(0), at(1), at(2)))
    turns.call(call(at(2, era=2)))
    assert offsets(turns.take(at(2, era=2, since=0))) == [2]
    assert turns.due == 0


def test_when_the_plan_no_longer_asks_for_order_all_that_waited_leaves() -> None:
    turns = Turns()
    turns.call(call(at(0), at(1)))
    turns.take(at(1))
    over = Turns(kept(turns, StateReader()).kept().turns, is_over=True)
    assert over.is_stalled
    assert offsets(over.begin()) == [1]
    assert offsets(over.take(at(0))) == [0]
    assert (over.due, len(over)) == (0, 0)


def test_keys_are_told_apart() -> None:
    assert len({key_digest(f"user{n}".encode()) for n in range(10_000)}) == 10_000


def kept(turns: Turns, state: StateReader) -> StateReader:
    messages = turn_messages(turns.changes(), STATE, 0)
    _keep(state, [*messages.rolls, *messages.held.values(), *messages.closing])
    return state


def _keep(state: StateReader, messages: Sequence[Outgoing]) -> None:
    for one in messages:
        state.add(one.key, one.value)


class Fate(NamedTuple):
    """How often what happens."""

    crash: float
    exactly_once: bool


class Play:
    """Ingress sends batches, models answer in any order, egress reads; each may be killed between two moves."""

    def __init__(self, random: Random, fate: Fate, count: int) -> None:
        self.random, self.fate = random, fate
        self.keys = [f"k{random.randrange(3)}" for _ in range(count)]
        self.link: list[Call | Record] = []
        self.models: list[Record] = []
        self.read = self.sent = self.committed = 0
        self.era, self.since = 1, -1
        self.turns, self.state, self.at, self.safe = Turns(), StateReader(), 0, 0
        self.left: list[Record] = []
        self.waited = 0

    def run(self) -> None:
        moves = [self.send, self.answer, self.answer, self.end, self.end]
        while self.sent < len(self.keys) or self.models or self.at < len(self.link):
            self.random.choice(moves)()

    def batch(self) -> list[Record]:
        size = self.random.randrange(1, 5)
        return [at(n, self.keys[n], era=self.era) for n in range(self.sent, min(self.sent + size, len(self.keys)))]

    def send(self) -> None:
        batch = self.batch()
        if not batch:
            return
        if self.random.random() < self.fate.crash:
            if not self.fate.exactly_once:
                self.break_off(batch)
            self.sent, self.since, self.era = self.committed, -1, self.era + 1
            return
        self.link.append(call(*batch, since=self.since))
        self.models += batch
        self.committed = self.sent = self.since = batch[-1].source.offset + 1

    def break_off(self, batch: list[Record]) -> None:
        """Lose some of two batches: the call of the first, or of both, and any of their records."""
        calls = [call(*batch, since=self.since)]
        self.sent = batch[-1].source.offset + 1
        more = self.batch()
        if more:
            calls.append(call(*more, since=self.sent))
        self.link += self.random.sample(calls, self.random.randrange(len(calls) + 1))
        self.models += [one for one in (*batch, *more) if self.random.random() < 0.5]

    def answer(self) -> None:
        if self.models:
            self.link.append(self.models.pop(self.random.randrange(len(self.models))))

    def end(self) -> None:
        """Let egress take some of its link; it may be killed anywhere before the offset is committed."""
        until = min(len(self.link), self.at + self.random.randrange(1, 4))
        left: list[Record] = self.turns.begin()
        for one in self.link[self.at : until]:
            left += self.turns.call(one) if isinstance(one, Call) else self.turns.take(one)
        self.waited += len(self.turns)
        messages = turn_messages(self.turns.changes(), STATE, 0)
        first, closing = [*messages.rolls, *messages.held.values()], messages.closing
        if self.random.random() >= self.fate.crash:
            self.at = until
            _keep(self.state, [*first, *closing])
            self.left += left
            if self.fate.exactly_once or self.random.random() < 0.5:
                self.safe = self.at
            return
        if not self.fate.exactly_once:
            _keep(self.state, first[: self.random.randrange(len(first) + 1)])
            if self.random.random() < 0.7:
                _keep(self.state, first)
                self.left += left
                _keep(self.state, closing[: self.random.randrange(len(closing) + 1)])
        self.turns, self.at = Turns(self.state.kept().turns), self.safe


def first_copies(left: Sequence[Record]) -> dict[bytes, list[int]]:
    found: dict[bytes, list[int]] = {}
    for one in left:
        seen = found.setdefault(one.key or b"", [])
        if one.source.offset not in seen:
            seen.append(one.source.offset)
    return found


@settings(max_examples=1000, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.05, 0.2]), st.booleans(), st.integers(1, 60))
def test_every_record_leaves_and_each_key_in_order(seed: int, crash: float, once: bool, count: int) -> None:
    play = Play(Random(seed), Fate(crash, once), count)
    play.run()
    found = first_copies(play.left)
    assert sorted(offset for seen in found.values() for offset in seen) == list(range(count))
    for seen in found.values():
        assert seen == sorted(seen)
    if once:
        assert set(Counter(offsets(play.left)).values()) == {1}
    assert (len(play.turns), play.turns.due) == (0, 0)
    rest = play.state.kept().turns
    assert (dict(rest.rolls), list(rest.held)) == ({}, [])


def test_in_such_a_play_records_do_wait() -> None:
    play = Play(Random(1), Fate(0.1, False), 60)
    play.run()
    assert play.waited > 20
