"""Records that wait for more answers: when they end, what comes late, and that no kill changes what they become."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from headrace.core.record import Outgoing, Position, Record
from headrace.core.routing.decision import Candidate, Decision
from headrace.core.routing.join import Verdict
from headrace.core.routing.slip import Slip
from headrace.core.routing.waiting import Joins
from headrace.core.wire.state import StateReader, state_messages
from tests.support.made import HERE, NOON_MS, record
from tests.support.parts import answered, asked, broken, parallel, verdict_facts

YES, NO = {"label": "yes", "score": 0.9}, {"label": "no", "score": 0.4}


def place(offset: int) -> Position:
    return HERE._replace(offset=offset)


def output(verdict: Verdict | None) -> Any:
    assert verdict is not None
    return verdict.record.output


def test_a_record_waits_until_all_answered() -> None:
    joins, (a, b, c) = Joins(), asked(parallel())
    assert joins.take(answered(a, YES), 0) is None
    assert joins.take(answered(c, YES), 0) is None
    assert len(joins) == 1
    assert output(joins.take(answered(b, NO), 0))["votes"] == {"yes": 2, "no": 1}
    assert len(joins) == 0


def test_a_quorum_suffices_and_the_rest_comes_late() -> None:
    joins, (a, b, c) = Joins(), asked(parallel(quorum=2))
    joins.take(answered(a, YES), 0)
    assert output(joins.take(answered(b, YES), 0))["label"] == "yes"
    assert joins.take(answered(c, NO), 0) is None
    assert (len(joins), joins.late) == (0, 1)


def test_a_part_that_comes_twice_counts_once() -> None:
    joins, (a, b, _) = Joins(), asked(parallel(quorum=2))
    joins.take(answered(a, YES), 0)
    assert joins.take(answered(a, NO), 0) is None
    assert output(joins.take(answered(b, YES), 0))["votes"] == {"yes": 2}


def test_the_deadline_joins_what_came_in_time() -> None:
    joins, (a, b, c) = Joins(), asked(parallel(deadline_ms=500))
    joins.take(answered(a, YES), NOON_MS + 10)
    joins.take(broken(b), NOON_MS + 20)
    assert joins.due_ms == NOON_MS + 500
    assert joins.expire(NOON_MS + 500) == []
    (verdict,) = joins.expire(NOON_MS + 501)
    assert output(verdict)["votes"] == {"yes": 1}
    assert verdict.record.slip is not None
    assert verdict.record.slip.reason.endswith("b failed (HR501); c did not answer within 500 ms")
    assert [joins.due_ms, joins.take(answered(c, NO), NOON_MS + 600)] == [None, None]


def test_a_first_answer_after_the_deadline_is_a_dead_letter_and_the_later_ones_are_dropped() -> None:
    joins, (a, b, _) = Joins(), asked(parallel(deadline_ms=500))
    late = joins.take(answered(a, YES), NOON_MS + 501)
    assert late is not None
    assert late.failure is not None
    assert late.failure.code == "HR531"
    assert joins.take(answered(b, YES), NOON_MS + 502) is None


def test_what_is_read_again_in_a_later_era_is_joined_anew() -> None:
    joins, slip = Joins(), parallel(models=("a", "b"))
    first, again = asked(slip, era=1), asked(slip, era=2)
    for copy in first:
        done = joins.take(answered(copy, YES), 0)
    assert output(done)["votes"] == {"yes": 2}
    joins.take(answered(again[0], YES), 0)
    assert joins.take(answered(first[1], NO), 0) is None, "one of the first time, late"
    assert output(joins.take(answered(again[1], NO), 0))["votes"] == {"yes": 1, "no": 1}


def test_answers_of_one_decision_complete_each_other_across_eras() -> None:
    joins, slip = Joins(), parallel(models=("a", "b"))
    joins.take(answered(asked(slip, era=1)[0], YES), 0)
    assert output(joins.take(answered(asked(slip, era=2)[1], NO), 0))["votes"] == {"yes": 1, "no": 1}
    assert joins.take(answered(asked(slip, era=2)[0], YES), 0) is None


def test_a_later_decision_takes_the_place_of_an_earlier_one() -> None:
    joins, before, after = Joins(), parallel(models=("a", "b")), parallel(models=("b", "c"))
    joins.take(answered(asked(before, era=1)[0], YES), 0)
    joins.take(answered(asked(after, era=2)[0], NO), 0)
    assert joins.take(answered(asked(before, era=1)[1], YES), 0) is None
    done = joins.take(answered(asked(after, era=2)[1], NO), 0)
    assert done is not None
    assert done.record.slip is not None
    assert done.record.slip.path == ("b", "c")


def single(offset: int, since: int | None = None) -> Record:
    slip = Slip(policy="rules", decision=Decision(combine="single", steps=(Candidate(model="a"),)), at=None)
    return record("text", source=place(offset), slip=slip, era=1, since=offset if since is None else since)


def test_what_ended_is_one_run_whatever_way_records_took_and_wherever_ingress_ended_some() -> None:
    joins = Joins()
    for offset in range(0, 300, 3):
        joins.end(single(offset))
        for copy in asked(parallel(models=("a", "b")), offset + 2, since=offset + 1):  # the one before it failed
            joins.take(answered(copy, YES), 0)
    (ended,) = joins.changes().ended.values()
    assert ended.runs == [(0, 300, 1)]


def test_a_record_that_ingress_ended_when_it_read_again_waits_no_longer() -> None:
    joins, slip = Joins(), parallel(models=("a", "b"))
    joins.take(answered(asked(slip, 5, era=1)[0], YES), 0)
    for copy in asked(slip, 6, era=2, since=5):
        joins.take(answered(copy, YES), 0)
    assert len(joins) == 0
    assert joins.take(answered(asked(slip, 5, era=1)[1], YES), 0) is None


def test_what_waits_is_kept_what_ended_is_kept_and_what_was_kept_is_forgotten() -> None:
    joins, slip = Joins(), parallel(models=("a", "b"))
    one, other = asked(slip, 1), asked(slip, 2)
    joins.take(answered(one[0], YES), 0)
    assert [waiting.record.source for waiting in joins.changes().waiting] == [place(1)]
    assert joins.changes() == ([], {}, [])
    for copy in other:
        joins.take(answered(copy, YES), 0)
    changes = joins.changes()
    assert (changes.waiting, list(changes.ended), changes.gone) == ([], [HERE.topic], [])
    joins.take(answered(one[1], YES), 0)
    assert joins.changes().gone == [place(1)]


# -- kills


class Put(NamedTuple):
    """A part on the link."""

    at_ms: float
    record: Record


@st.composite
def links(draw: st.DrawFn) -> list[Put]:
    """Some records' parts in any order of branches and records, some twice, some late, some missing for ever."""
    slip = parallel(
        draw(st.sampled_from(["best", "vote", "first"])),
        quorum=draw(st.none() | st.integers(1, 3)),
        deadline_ms=draw(st.none() | st.just(40.0)),
    )
    copies = [copy for offset in range(draw(st.integers(1, 5))) for copy in asked(slip, offset)]
    chosen = draw(st.lists(st.sampled_from(copies), max_size=25))
    rest = [copy for copy in copies if copy not in chosen] if draw(st.booleans()) else []
    puts, now = [], float(NOON_MS)
    for copy in [*chosen, *rest]:
        now += draw(st.integers(0, 12))
        branch = (copy.slip.branch or 0) if copy.slip else 0
        label = "yes" if (branch + copy.source.offset) % 2 else "no"
        said = {"label": label, "score": 0.1 * branch + 0.2}
        puts.append(Put(now, broken(copy) if (branch, copy.source.offset % 3) == (1, 2) else answered(copy, said)))
    return puts


class Kafka:
    """What is left when a process dies: the state topic, the results, the committed offset."""

    def __init__(self) -> None:
        self.state: list[Outgoing] = []
        self.results: list[tuple[Position, Any]] = []
        self.committed = 0

    def joins(self) -> Joins:
        reader = StateReader()
        for sent in self.state:
            reader.add(sent.key, sent.value)
        kept = reader.kept()
        return Joins(kept.ended, kept.waiting)


def steps(kafka: Kafka, joins: Joins, batch: Sequence[Put], end: int, now_ms: float | None) -> Iterator[None]:
    """Do a batch as egress does; a kill may strike at every yield."""
    verdicts: list[Verdict] = []
    for put in batch:
        verdicts += joins.expire(put.at_ms)
        if (verdict := joins.take(put.record, put.at_ms)) is not None:
            verdicts.append(verdict)
    if now_ms is not None:
        verdicts += joins.expire(now_ms)
    messages = state_messages(joins.changes(), "state", HERE.partition)
    for sent in messages.waiting.values():
        yield
        kafka.state.append(sent)
    for verdict in verdicts:
        yield
        kafka.results.append((verdict.record.source, verdict_facts(*verdict)))
    for sent in messages.closing:
        yield
        kafka.state.append(sent)
    yield
    kafka.committed = end


def ran(link: Sequence[Put], size: int, kills: Sequence[int]) -> Kafka:
    """Read the link to its end in batches, killed at each of these steps, counted since the start or the last kill."""
    kafka, left = Kafka(), list(kills)
    joins, done = kafka.joins(), 0
    while kafka.committed < len(link):
        start = kafka.committed
        end = min(len(link), start + size)
        idle = link[end].at_ms if end < len(link) else link[-1].at_ms + 1000  # nothing else lies there until then
        for _ in steps(kafka, joins, link[start:end], end, idle):
            done += 1
            if left and done > left[0]:
                left.pop(0)
                joins, done = kafka.joins(), 0
                break
    return kafka


@given(links(), st.integers(1, 8), st.lists(st.integers(0, 12), max_size=5))
def test_no_kill_changes_what_a_record_becomes_or_lets_one_wait_that_has_ended(
    link: list[Put], size: int, kills: list[int]
) -> None:
    calm, killed = ran(link, len(link) or 1, []), ran(link, size, kills)
    assert dict(killed.results) == dict(calm.results), "every record's last result"
    assert set(map(repr, killed.results)) == set(map(repr, calm.results)), "and every copy of it"
    assert len(calm.results) == len(dict(calm.results)), "without a kill each comes once"
    assert len(killed.joins()) == len(calm.joins())


@given(links(), st.integers(1, 8))
def test_where_a_batch_is_cut_changes_nothing(link: list[Put], size: int) -> None:
    assert ran(link, size, []).results == ran(link, 1, []).results
