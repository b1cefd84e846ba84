"""Who is a suspect, who is charged, and what the committed offsets say of it, without a broker."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from headrace.core.wire.journal import FORMAT, Entry, encode_entry
from headrace.streams.journal import Found, Journal


class Tp(NamedTuple):
    topic: str
    partition: int


P0, P1 = Tp("reviews", 0), Tp("reviews", 1)
REACH = 8


class Disk:
    """One partition: what its committed offset is and says, and the processes that read it one after the other."""

    def __init__(self, end: int, offset: int = 0) -> None:
        self.end, self.offset, self.words = end, offset, ""

    def process(self, name: str) -> Journal:
        journal = Journal("ingress", REACH, name)
        self.assign(journal)
        return journal

    def assign(self, journal: Journal) -> None:
        journal.begin({P0: Found(self.offset, self.words, self.end)})

    def write(self, journal: Journal) -> None:
        self.words = journal.words(P0, self.offset)

    def commit(self, journal: Journal, offset: int) -> None:
        self.words, self.offset = journal.words(P0, offset), offset
        journal.committed({P0: offset})

    def start(self, journal: Journal) -> None:
        if journal.start({P0: self.offset}):
            self.write(journal)

    def alone(self, journal: Journal, at: int = 0, offset: int | None = None) -> None:
        assert journal.suspect(P0, self.offset if offset is None else offset, at)
        self.write(journal)


def test_a_mark_is_written_once_and_goes_with_the_next_commit() -> None:
    disk = Disk(end=20)
    first = disk.process("a")
    assert first.start({P0: 0}) == [P0]
    assert first.start({P0: 4}) == []
    disk.write(first)
    assert disk.words == encode_entry(Entry(format=FORMAT, by="a"))
    disk.commit(first, 4)
    assert disk.words == ""
    assert disk.process("b").suspects() == set()


def test_who_dies_without_a_commit_leaves_suspects_as_far_as_two_batches_and_the_topic_reach() -> None:
    for end, until in ((20, 11), (5, 5)):
        disk = Disk(end=end, offset=3)
        disk.start(disk.process("a"))
        second = disk.process("b")
        assert second.suspects() == {P0}
        disk.alone(second)
        assert disk.words == encode_entry(Entry(format=FORMAT, by="b", until=until, at=0))


def test_a_mark_of_its_own_is_no_death() -> None:
    disk = Disk(end=20)
    first = disk.process("a")
    disk.start(first)
    disk.assign(first)
    assert first.suspects() == set()
    assert first.start({P0: 0}) == [P0]


def test_only_the_record_that_was_named_is_charged_and_its_count_ends_with_it() -> None:
    disk = Disk(end=4)
    disk.start(disk.process("a"))
    second = disk.process("b")
    disk.alone(second)
    disk.commit(second, 1)
    assert disk.words == encode_entry(Entry(format=FORMAT, by="b", until=4))
    disk.alone(second)
    for count, name in enumerate("cde", 1):
        later = disk.process(name)
        assert later.deaths(P0, 0) == count
        assert later.deaths(P0, 1) == 0
        disk.alone(later)
    disk.commit(later, 2)
    assert later.deaths(P0, 0) == 0
    assert disk.process("f").deaths(P0, 0) == 0, "the next one was never alone in flight"


def test_a_window_without_a_named_record_charges_nobody() -> None:
    disk = Disk(end=4)
    disk.start(disk.process("a"))
    second = disk.process("b")
    disk.alone(second)
    disk.commit(second, 1)
    third = disk.process("c")
    assert third.suspects() == {P0}
    assert third.deaths(P0, 0) == 0


def test_records_of_one_message_are_counted_apart_until_all_of_it_is_through() -> None:
    disk = Disk(end=4)
    disk.start(disk.process("a"))
    for name, at in (("b", 3), ("c", 3), ("d", 3), ("e", 7)):
        journal = disk.process(name)
        disk.alone(journal, at)
    last = disk.process("f")
    assert [last.deaths(P0, at) for at in (3, 7, 0)] == [3, 1, 0]
    disk.alone(last, 0)
    assert disk.process("g").deaths(P0, 3) == 3, "it is known while others of the message are tried"
    disk.alone(last, 8)
    disk.commit(last, 1)
    assert last.deaths(P0, 3) == 0


def test_offsets_that_hold_no_record_do_not_hide_who_was_named() -> None:
    disk = Disk(end=9, offset=3)
    disk.start(disk.process("a"))
    second = disk.process("b")
    disk.alone(second, offset=5)  # a mark that ended a transaction lies before it
    disk.commit(second, 4)
    assert disk.process("c").deaths(P0, 0) == 1


def test_a_window_is_over_at_its_end_and_when_as_many_records_were_taken_as_can_have_been_in_flight() -> None:
    disk = Disk(end=4)
    disk.start(disk.process("a"))
    second = disk.process("b")
    for offset in range(4):
        disk.alone(second)
        disk.commit(second, offset + 1)
    assert (disk.words, second.suspects()) == ("", set())
    disk = Disk(end=20)
    disk.start(disk.process("a"))
    second = disk.process("b")
    for at in range(REACH):
        disk.alone(second, at)
    assert second.suspects() == {P0}
    disk.commit(second, 1)
    assert second.suspects() == set()


def test_whoever_lets_go_names_nobody_and_keeps_what_was_counted() -> None:
    disk = Disk(end=4)
    first = disk.process("a")
    disk.start(first)
    assert first.let_go() == [P0]
    disk.write(first)
    assert disk.words == ""
    disk.start(disk.process("b"))
    disk.alone(disk.process("c"))
    fourth = disk.process("d")
    disk.alone(fourth)
    assert fourth.let_go() == [P0]
    disk.write(fourth)
    assert not fourth.suspect(P0, 0, 1)
    assert fourth.start({P1: 0}) == []
    assert disk.words == encode_entry(Entry(format=FORMAT, by="d", until=4, deaths={0: 1}))
    assert disk.process("e").deaths(P0, 0) == 1


def test_partitions_that_wait_are_no_suspects_now() -> None:
    disk = Disk(end=4)
    disk.start(disk.process("a"))
    second = disk.process("b")
    assert second.suspects([("reviews", 0)]) == set()
    assert second.suspects([("reviews", 1)]) == {P0}


def test_without_metadata_nobody_is_suspect() -> None:
    disk = Disk(end=4)
    disk.start(disk.process("a"))
    second = disk.process("b")
    second.give_up()
    assert (second.suspects(), second.start({P0: 0}), second.words(P0, 0)) == (set(), [], "")
    disk.assign(second)
    assert second.suspects() == set()


@given(
    killers=st.sets(st.integers(0, 15)),
    batch=st.integers(1, REACH // 2),
    commits=st.lists(st.booleans(), min_size=1),
)
def test_every_killer_is_found_by_its_own_deaths_and_nobody_else_is(
    killers: set[int], batch: int, commits: list[bool]
) -> None:
    """Processes take batches until one holds a killer; whether a batch before it was committed by then, chance says."""
    end, offset, dead, deaths = 16, 0, [], dict.fromkeys(range(16), 0)
    disk = Disk(end)
    for number in range(200):
        journal = disk.process(f"p{number}")
        while disk.offset < end:
            offset = disk.offset
            if journal.suspects():
                disk.alone(journal)
                if journal.deaths(P0, 0) >= 3:
                    dead.append(offset)
                elif offset in killers:
                    deaths[offset] += 1
                    break
                disk.commit(journal, offset + 1)
                continue
            disk.start(journal)
            taken = range(offset, min(end, offset + batch))
            if killers & set(taken):
                break
            if commits[number % len(commits)]:
                disk.commit(journal, taken.stop)
            else:
                disk.commit(journal, offset + 1)
    assert disk.offset == end
    assert dead == sorted(killers)
    assert deaths == {at: 3 if at in killers else 0 for at in range(16)}


def test_what_runs_because_of_the_time_is_marked_with_that_and_the_commit_after_its_steps_takes_the_mark_away() -> None:
    disk = Disk(end=4, offset=4)
    first = disk.process("a")
    assert first.start_ticks({P0: 1000}) == [P0]
    assert first.start_ticks({P0: 2000}) == []
    disk.write(first)
    assert disk.words == encode_entry(Entry(format=FORMAT, by="a", tick=1000))
    first.survived(P0)
    disk.commit(first, 4)
    assert disk.words == ""


def test_whoever_dies_of_the_time_is_charged_by_name_and_is_suspect_until_nothing_is_due_any_more() -> None:
    disk = Disk(end=4, offset=4)
    first = disk.process("a")
    first.start_ticks({P0: 1000})
    disk.write(first)
    for deaths in range(3):
        heir = disk.process(f"heir{deaths}")
        assert heir.suspects() == {P0}
        assert heir.timed_deaths(P0, "in:0:1") == deaths
        assert heir.suspect_timed(P0, "in:0:1")
        disk.write(heir)
    last = disk.process("last")
    assert (last.timed_deaths(P0, "in:0:1"), last.timed_deaths(P0, "in:0:2")) == (3, 0)
    last.survived(P0)
    disk.commit(last, 4)
    last.passed(P0, 4, due_ms=900.0)
    assert last.suspects() == {P0}, "another one is due by then"
    last.passed(P0, 4, due_ms=1000.0)
    assert last.suspects() == set()
    assert last.words(P0, 4) == ""


def test_of_a_message_that_ends_a_wait_both_are_named_and_only_who_was_at_work_is_charged() -> None:
    disk = Disk(end=9, offset=4)
    disk.start(disk.process("a"))
    first = disk.process("b")
    assert first.suspect_timed(P0, "in:0:1")
    disk.write(first)
    second = disk.process("c")
    assert (second.timed_deaths(P0, "in:0:1"), second.deaths(P0, 0)) == (1, 0)
    assert second.suspect_timed(P0, "in:0:1")
    disk.alone(second)
    third = disk.process("d")
    assert (third.timed_deaths(P0, "in:0:1"), third.deaths(P0, 0)) == (1, 1)


def test_an_end_of_its_own_will_names_nobody_who_ran_because_of_the_time() -> None:
    disk = Disk(end=4, offset=4)
    first = disk.process("a")
    first.start_ticks({P0: 1000})
    disk.write(first)
    assert first.let_go() == [P0]
    disk.write(first)
    assert disk.words == ""
