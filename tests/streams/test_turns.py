"""Records of one key leave in their order: over links, cascades and joins, past dead letters, after a crash.

Results of a model are parked on their link and let on later, so that those of other ways overtake them: a test that
never saw one wait would prove nothing, so each looks at what waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from headrace.core.record import Message, Position, Record
from headrace.core.wire.frame import decode_frame
from headrace.core.wire.kept import state_topic
from headrace.streams.join import Joiner
from headrace.streams.meter import Meter
from tests.support.made import NOON_MS
from tests.support.processes import Processes, same_always, through

Start = Callable[..., Processes]

KEY = {"order": "key", "retries": 0}
EXPERT, EGRESS = "reviews.link.expert", "reviews.link.egress"
APART = {"heavy": {"models": ["expert"]}}
GROUPS: list[Mapping[str, Any]] = [
    APART,
    {"in": {"stages": ["ingress"]}},
    {"one": {"models": ["quick"]}},
    {"one": {"models": ["quick"]}, "two": {"models": ["expert"]}, "out": {"stages": ["egress"]}},
    {"models": {"models": ["quick", "expert"]}},
]
QUICK, SLOW = "0.95 sure", "0.5 unsure"


def start(processes: Start, groups: Mapping[str, Any] = APART, **sections: Any) -> Processes:
    made = processes(**{"delivery": KEY, "groups": groups, **sections})
    assert made.plan.keeps_turns
    return made


def parked(processes: Start, texts: Sequence[str], **sections: Any) -> Processes:
    """Publish texts; what goes to the expert waits on its link."""
    made = start(processes, **sections)
    made.parked[EXPERT] = []
    return through(made, texts)


def let_on(made: Processes, *numbers: int) -> None:
    frames = made.parked.pop(EXPERT)
    for number in numbers or range(len(frames)):
        made.run(EXPERT, [frames[number]])


def waiting(made: Processes) -> int:
    assert made.joiner is not None
    return made.joiner.waiting


def nothing_is_kept(made: Processes) -> bool:
    turns = made.state.kept().turns
    return not (turns.rolls or turns.held) and waiting(made) == 0


def test_a_record_that_takes_the_short_way_waits_for_the_one_before_it(processes: Start) -> None:
    made = parked(processes, [QUICK, SLOW, QUICK, QUICK])
    assert made.ends == [0]
    assert waiting(made) == 2
    let_on(made)
    assert made.ends == [0, 1, 2, 3]
    assert nothing_is_kept(made)
    assert [made.results[at]["model"] for at in range(4)] == ["quick", "expert", "quick", "quick"]


def test_other_keys_and_records_without_one_do_not_wait(processes: Start) -> None:
    made = parked(processes, [SLOW])
    through(made, [QUICK], 1, key=b"bob")
    through(made, [QUICK], 2, key=None)
    through(made, [QUICK], 3)
    assert made.ends == [1, 2]
    let_on(made)
    assert made.ends == [1, 2, 0, 3]


@pytest.mark.parametrize("groups", GROUPS, ids="+".join)
def test_whatever_the_grouping_results_are_those_of_one_process_in_its_order(
    processes: Start, groups: Mapping[str, Any]
) -> None:
    texts = [SLOW, QUICK, "raise", "0.5 lone \ud83d", QUICK, "json null", SLOW, 'json {"big": 18446744073709551616}']
    fused, split = through(processes(delivery=KEY), texts), start(processes, groups)
    assert not fused.plan.keeps_turns
    through(split, texts)
    assert same_always(split.results) == same_always(fused.results)
    assert {at: each.code for at, each in split.dead.items()} == {at: each.code for at, each in fused.dead.items()}
    # In one process a failure is known before its neighbours are through; the order is that of results.
    assert [at for at in split.ends if at in split.results] == sorted(split.results)
    assert sorted(split.ends) == list(range(len(texts)))
    assert nothing_is_kept(split)


def test_one_that_fails_in_another_process_lets_the_next_ones_go(processes: Start) -> None:
    made = parked(processes, ["0.5 unsure", QUICK], models=broken_expert())
    assert made.ends == []
    let_on(made)
    assert made.ends == [0, 1]
    assert (set(made.dead), set(made.results)) == ({0}, {1})
    assert nothing_is_kept(made)


def test_with_a_fallback_the_answer_of_a_failed_one_has_its_turn(processes: Start) -> None:
    delivery = {**KEY, "on_failure": "fallback", "fallback": {"label": "unknown"}}
    made = parked(processes, ["0.5 unsure", QUICK], models=broken_expert(), delivery=delivery)
    let_on(made)
    assert made.ends == [0, 1]
    assert [made.results[at]["status"] for at in (0, 1)] == ["fallback", "ok"]


def broken_expert() -> dict[str, Any]:
    return {"quick": {"echo": {"label": "q"}}, "expert": {"echo": {"needs": "/no/such/file"}}}


def test_one_that_fails_before_it_is_routed_holds_up_nobody(processes: Start) -> None:
    made = parked(processes, ["", "raise", QUICK])
    assert 2 in made.results
    assert nothing_is_kept(made)


def test_a_join_has_the_turn_of_its_record(processes: Start) -> None:
    made = start(processes, route={"parallel": {"models": ["quick", "expert"], "join": "best"}})
    made.parked[EXPERT] = []
    for offset in range(3):
        through(made, [SLOW], offset)
    assert made.ends == []
    let_on(made, 2, 1, 0)
    assert made.ends == [0, 1, 2]
    assert nothing_is_kept(made)


def test_what_waits_is_kept_and_goes_on_after_a_crash(processes: Start) -> None:
    made = parked(processes, [SLOW, QUICK, QUICK, SLOW])
    assert waiting(made) == 2
    made.joiner = Joiner(state_topic("reviews"), Meter("reviews"), in_turn=True)
    made.joiner.restore({0: made.state})
    assert waiting(made) == 2
    let_on(made)
    assert made.ends == [0, 1, 2, 3]
    assert nothing_is_kept(made)


def test_under_a_plan_without_that_order_what_waited_leaves(processes: Start) -> None:
    made = parked(processes, [SLOW, QUICK])
    made.joiner = Joiner(state_topic("reviews"), Meter("reviews"))
    made.joiner.restore({0: made.state})
    assert made.joiner.due_ms == {0: 0.0}, "a tick lets it leave, if nothing comes"
    let_on(made)
    assert made.ends == [1, 0]
    assert nothing_is_kept(made)


def test_ingress_calls_a_batch_before_it_sends_it(processes: Start) -> None:
    made = start(processes)
    made.parked |= {EXPERT: [], EGRESS: []}
    through(made, [QUICK, SLOW, QUICK])
    call, records = (decode_frame(each.value) for each in made.parked[EGRESS])
    assert call.call is not None
    assert ([offset for offset, _ in call.call.due], call.call.since, call.records) == ([0, 1, 2], -1, [])
    assert [each.source.offset for each in records.records if isinstance(each, Record)] == [0, 2]
    through(made, [QUICK], 3)
    again = decode_frame(made.parked[EGRESS][2].value)
    assert again.call is not None
    assert (again.call.since, again.call.end) == (3, 4)


def test_a_partition_is_full_until_half_of_it_has_left(processes: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.streams.join.FULL_RECORDS", 5)
    made = start(processes)
    assert made.joiner is not None
    made.parked[EXPERT] = []
    seen = []
    for offset in range(7):
        through(made, [SLOW], offset)
        seen.append(dict(made.joiner.full))
    assert seen == [{}] * 5 + [{0: 6}, {0: 7}]
    frames = made.parked.pop(EXPERT)
    for frame in frames:
        made.run(EXPERT, [frame])
        seen.append(dict(made.joiner.full))
    assert seen[7:] == [{0: 6}, {0: 5}, {0: 4}, {0: 3}, {}, {}, {}]


def test_large_records_fill_a_partition_as_well(processes: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.streams.join.FULL_BYTES", 10_000)
    made = parked(processes, [SLOW, f"0.95 {'x' * 6_000}"])
    assert made.joiner is not None
    assert made.joiner.full == {0: 2}
    let_on(made)
    assert made.joiner.full == {}
    assert made.ends == [0, 1]


def test_a_record_that_is_lost_on_its_way_is_ended_by_a_skip_and_only_once_all_that_came_is_read(
    processes: Start,
) -> None:
    made = parked(processes, [QUICK, SLOW, QUICK, QUICK])
    lost = made.parked[EXPERT]
    assert made.joiner is not None
    assert str(made.joiner.awaited) == "reviews:0:1"
    made.live.change(skipped_records={"egress": frozenset({"reviews:0:1", "reviews:0:3", "elsewhere"})})
    assert made.joiner.passed_over() == {0: [Position("reviews", 0, 1)]}, "what has ended is not lost"
    through(made, [QUICK], 4)
    assert made.ends == [0], "its end may lie behind what was read"
    tick = Message(Position(EGRESS, 0, -1), None, None, (), NOON_MS)
    made.run(EGRESS, [tick])
    assert ({at: one.code for at, one in made.dead.items()}, made.ends) == ({1: "HR523"}, [0, 1, 2, 3, 4])
    assert (made.joiner.passed_over(), made.joiner.awaited) == ({}, None)
    assert nothing_is_kept(made)
    del made.parked[EXPERT]
    made.run(EXPERT, lost)
    assert made.ends == [0, 1, 2, 3, 4], "it was slow, and has its end already"
