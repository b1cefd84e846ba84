"""Models of a parallel route that fail or come too late: only their join ends a record, and may hold up a partition."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from headrace.core.record import Message, Position
from headrace.core.wire.dead import Failure
from headrace.core.wire.retry import retry_message
from headrace.streams.hold import Holding, HoldRules
from tests.support.made import NOON_MS, message
from tests.support.processes import Processes, through

Start = Callable[..., Processes]

EGRESS = "reviews.link.egress"
MODELS = {"a": "echo", "b": "echo", "c": {"echo": {"label": "calm"}}}
APART: Mapping[str, Any] = {"one": {"models": ["a"]}, "two": {"models": ["b"]}, "three": {"models": ["c"]}}
GROUPS: list[Mapping[str, Any]] = [{}, {"heavy": {"models": ["b"]}}, {"in": {"stages": ["ingress"]}}, APART]
EVERYTHING = [{"topic": {"name": "reviews.scored", "when": "status != 'nothing'"}}]
UNKNOWN = {"on_failure": "fallback", "fallback": {"label": "unknown"}}

each_grouping = pytest.mark.parametrize("groups", GROUPS, ids=lambda groups: "+".join(groups) or "fused")


def parallel(**sections: Any) -> dict[str, Any]:
    route = {"parallel": {"models": ["a", "b", "c"], "join": "vote"}}
    return {"models": MODELS, "route": route, "output": EVERYTHING, **sections}


@each_grouping
def test_no_worker_stops_for_a_model_that_others_make_up_for(processes: Start, groups: Mapping[str, Any]) -> None:
    made = processes(**parallel(groups=groups, delivery={"on_failure": "stop"}))
    made.live.change(stopped_models=frozenset({"b"}))
    through(made, ["0.4 sad", "0.5 glad"])
    assert (made.held, made.dead, sorted(made.results)) == ([], {}, [0, 1])
    assert made.results[0]["route"]["reason"] == "1 of 2 said 'sad'; b failed (HR522)"


@each_grouping
def test_a_record_that_no_model_answers_stops_the_worker_with_its_join(
    processes: Start, groups: Mapping[str, Any]
) -> None:
    made = processes(**parallel(groups=groups, delivery={"on_failure": "stop"}))
    through(made, ["0.4 sad", "json null", "0.5 glad"])
    assert [(one.source.offset, one.failure.code, one.is_final) for one in made.held] == [(1, "HR530", True)]
    assert made.dead == {}
    if not groups:
        assert list(made.results) == [0], "nothing behind it is delivered"


@each_grouping
def test_a_record_that_no_model_answers_gets_the_fallback_and_one_answer_is_enough_for_none(
    processes: Start, groups: Mapping[str, Any]
) -> None:
    made = processes(**parallel(groups=groups, delivery=UNKNOWN))
    through(made, ["json null", "0.4 sad"])
    made.live.change(stopped_models=frozenset({"a", "b"}))
    through(made, ["0.5 glad"], first=2)
    assert (made.dead, sorted(made.ends)) == ({}, [0, 1, 2])
    assert [made.results[at]["status"] for at in range(3)] == ["fallback", "ok", "ok"]
    assert (made.results[0]["output"], made.results[0]["failure"]["code"]) == ({"label": "unknown"}, "HR530")


@pytest.mark.parametrize("groups", [{}, APART], ids=["fused", "apart"])
@pytest.mark.provokes("HR535")
def test_a_model_whose_turn_comes_after_the_deadline_is_left_out(processes: Start, groups: Mapping[str, Any]) -> None:
    models = {**MODELS, "b": {"echo": {"ms": 2_100}}}
    made = processes(**parallel(models=models, groups=groups, delivery={"deadline": "2s"}))
    through(made, ["0.4 sad"], timestamp_ms=int(time.time() * 1000))
    body = made.results[0]
    assert (body["status"], body["output"]["votes"]) == ("ok", {"sad": 2})
    assert body["route"]["reason"] == "2 of 2 said 'sad'; c failed (HR535)"


@each_grouping
@pytest.mark.parametrize("delivery", [{}, {"on_failure": "stop"}, UNKNOWN], ids=["dead_letter", "stop", "fallback"])
def test_a_record_that_comes_to_no_model_in_time_has_expired_once(
    processes: Start, groups: Mapping[str, Any], delivery: Mapping[str, Any]
) -> None:
    delivery = {**delivery, "deadline": "200ms"}
    made = processes(**parallel(preprocess=[{"slow": {"ms": 250}}], groups=groups, delivery=delivery))
    through(made, ["0.4 sad"], timestamp_ms=int(time.time() * 1000))
    assert (made.held, made.dead, made.ends) == ([], {}, [0])
    assert (made.results[0]["status"], made.results[0]["output"]) == ("expired", None)
    assert made.results[0]["reason"].startswith("its deadline passed ")


@pytest.mark.parametrize("is_read", [False, True])
def test_a_partition_that_is_held_up_keeps_of_its_joins_what_was_delivered_and_no_more(
    processes: Start, is_read: bool
) -> None:
    made = parked(processes, ["0.4 sad", "json null", "0.5 glad"])
    frames = made.parked[EGRESS]
    made.run(EGRESS, frames)
    (held,) = made.held
    assert (held.source.offset, held.failure.code, list(made.results)) == (1, "HR530", [0])
    kept = made.state.kept()
    assert {one.record.source.offset: len(one.parts) for one in kept.waiting} == {1: 2, 2: 2}
    (ended,) = kept.ended.values()
    assert [run[:2] for run in ended.runs] == [(0, 1)]

    assert made.joiner is not None
    if is_read:
        made.joiner.restore({0: made.state})
    else:
        made.joiner.rewind()
    made.holdings["egress"] = Holding(HoldRules())  # the file says dead_letter now
    made.run(EGRESS, frames[held.carrier.offset :])
    assert ({at: one.code for at, one in made.dead.items()}, sorted(made.ends)) == ({1: "HR530"}, [0, 1, 2])
    assert not made.state.kept().waiting


def test_what_is_skipped_at_egress_holds_up_nothing(processes: Start) -> None:
    made = parked(processes, ["json null"])
    *others, last = made.parked[EGRESS]
    made.live.change(skips={"egress": {0: (last.position.offset, last.position.offset + 1)}})
    made.run(EGRESS, [*others, last])
    assert (made.held, made.dead[0].code) == ([], "HR530")


def test_a_wait_that_is_over_by_time_holds_up_its_partition_and_waits_still_when_that_is_read_again(
    processes: Start,
) -> None:
    route = {"parallel": {"models": ["a", "b", "c"], "join": "vote", "deadline": "1s"}}
    made = parked(processes, ["json null"], route=route)
    first = made.parked[EGRESS][0]
    made.run(EGRESS, [first])
    before = made.state.kept()
    late = Message(Position(EGRESS, 0, -1), None, None, (), int(time.time() * 1000) + 3_600_000)
    made.run(EGRESS, [late])
    assert [(one.carrier.offset, one.failure.code) for one in made.held] == [(-1, "HR531")]
    assert made.ends == []
    assert [one.record.source for one in made.state.kept().waiting] == [one.record.source for one in before.waiting]

    assert made.joiner is not None
    made.joiner.rewind()
    made.live.change(skipped_records={"egress": frozenset({str(made.held[0].source)})})
    made.run(EGRESS, [late])
    assert (len(made.held), made.dead[0].code, made.ends) == (1, "HR531", [0]), "its worker names the way out: skip"


@pytest.mark.parametrize(
    ("groups", "where"), [({}, "in"), ({"in": {"stages": ["ingress"]}}, "link"), (APART, "link")], ids=str
)
def test_a_model_that_is_away_holds_up_its_partition_and_is_missing_in_the_end(
    processes: Start, tmp_path: Path, groups: Mapping[str, Any], where: str
) -> None:
    needed, now = tmp_path / "service", 0.0
    models = {**MODELS, "b": {"echo": {"needs": str(needed)}}}
    made = processes(**parallel(models=models, groups=groups, delivery={"slow": "pause", "patience": "60s"}))
    made.holdings = {name: Holding(made.rules, lambda: now) for name in made.holdings}
    made.parked = {"reviews.link.b": []}
    topic, held = "reviews", []

    def again(first: int) -> None:
        if topic == "reviews":
            through(made, ["0.4 sad"], first=first)
        else:
            made.run(topic, made.parked[topic][first : first + 1])

    for first in range(2):
        through(made, ["0.4 sad"], first=first)
        if made.parked["reviews.link.b"]:
            topic = "reviews.link.b"
            again(first)
        *held, one = made.held
        assert (held, one.is_final, made.ends) == ([], False, list(range(first)))
        made.holdings[one.failure.stage if where == "link" else "ingress"].note([one])
        made.held.clear()
        if first == 0:
            needed.touch()
        else:
            now += 61
        again(first)
        needed.unlink(missing_ok=True)
    assert made.results[0]["route"]["path"] == ["a", "b", "c"]
    assert made.results[1]["route"]["reason"] == "1 of 2 said 'sad'; b failed (HR501)"
    assert (made.held, made.dead, made.ends) == ([], {}, [0, 1])


def test_egress_does_not_wait_for_what_has_run_out_of_patience_elsewhere(processes: Start, tmp_path: Path) -> None:
    sections = parallel(
        models={**MODELS, "c": {"echo": {"needs": str(tmp_path / "never")}}},
        route={"forks": {"models": ["a", "b"], "otherwise": "c"}},
        groups=APART,
        delivery={"slow": "pause", "patience": "60s"},
    )
    now = 0.0
    made = processes(**sections)
    made.holdings = {name: Holding(made.rules, lambda: now) for name in made.holdings}
    made.parked = {"reviews.link.c": []}
    through(made, ["0.4 sad"])
    made.run("reviews.link.c", made.parked["reviews.link.c"])
    made.holdings["c"].note(made.held)
    made.held.clear()
    now = 61
    made.run("reviews.link.c", made.parked["reviews.link.c"])
    assert (made.held, made.dead[0].code, made.dead[0].stage) == ([], "HR501", "c")


def again(made: Processes, value: bytes, failure: Failure, offset: int = 0) -> None:
    """Let ingress read a record that has waited aside."""
    aside = made.plan.retry_topic
    original = message(value, position=Position("reviews", 0, offset))
    sent = retry_message(original, failure, topic=aside, since_ms=1, due_ms=2, attempts=failure.attempt)
    made.readers[aside] = made.readers["reviews"]
    made.run(aside, [message(sent.value, position=Position(aside, 0, 0), headers=sent.headers)])


@pytest.mark.parametrize("groups", [{}, APART], ids=["here", "apart"])
def test_what_waited_aside_is_joined_although_the_records_after_it_have_ended(
    processes: Start, tmp_path: Path, groups: Mapping[str, Any]
) -> None:
    needed = tmp_path / "service"
    preprocess = [{"needs": {"file": str(needed)}}]
    made = processes(**parallel(preprocess=preprocess, groups=groups, delivery={"slow": "retry_topic"}))
    through(made, ["0.1 a", "needs it", "0.5 glad"])
    assert (sorted(made.results), made.dead[1].waits, made.held) == ([0, 2], True, [])
    needed.touch()
    again(made, b'{"text": "needs it"}', made.dead[1], offset=1)
    assert made.results[1]["source"] == {"topic": "reviews", "partition": 0, "offset": 1}
    assert made.results[1]["route"]["path"] == ["a", "b", "c"]
    assert sorted(made.ends) == [0, 1, 1, 2], "once aside, once answered"


def test_a_model_that_is_away_lets_egress_set_the_record_aside(processes: Start, tmp_path: Path) -> None:
    needed = tmp_path / "service"
    sections = parallel(
        models={**MODELS, "c": {"echo": {"needs": str(needed)}}},
        route={"forks": {"models": ["a", "b"], "otherwise": "c"}},
        groups=APART,
        delivery={"slow": "retry_topic", "on_failure": "fallback", "fallback": {"label": "unknown"}},
    )
    made = processes(**sections)
    through(made, ["0.4 sad"])
    assert (made.dead[0].waits, made.dead[0].stage, made.results) == (True, "c", {})
    needed.touch()
    again(made, b'{"text": "0.4 sad"}', made.dead[0])
    assert (made.results[0]["status"], made.results[0]["output"]["label"]) == ("ok", "sad")
    needed.unlink()
    made.results.clear()
    made.live.change(skips={"ingress": {0: (0, 9)}})  # of the input, not of what waits
    again(made, b'{"text": "0.4 sad"}', made.dead[0])
    assert made.results[0]["status"] == "fallback", "it has waited since long ago"


@each_grouping
def test_a_record_waits_aside_when_all_models_are_away_and_for_none_while_another_answers(
    processes: Start, tmp_path: Path, groups: Mapping[str, Any]
) -> None:
    away, others = tmp_path / "a", tmp_path / "others"
    models = {name: {"echo": {"needs": str(away if name == "a" else others)}} for name in MODELS}
    made = processes(**parallel(models=models, groups=groups, delivery={"slow": "retry_topic"}))
    through(made, ["0.4 sad"])
    assert (made.dead[0].code, made.dead[0].waits, made.results, made.held) == ("HR530", True, {}, [])
    others.touch()
    again(made, b'{"text": "0.4 sad"}', made.dead[0])
    assert made.results[0]["route"]["reason"] == "2 of 2 said 'sad'; a failed (HR501)"
    assert made.ends == [0, 0], "once aside, once answered"


def test_a_record_that_no_model_answers_for_good_waits_for_nothing(processes: Start) -> None:
    made = processes(**parallel(groups=APART, delivery={"slow": "retry_topic"}))
    through(made, ["json null"])
    assert (made.dead[0].code, made.dead[0].waits) == ("HR530", False)


def test_records_that_wait_for_answers_fill_a_partition_until_half_of_them_have_left(
    processes: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.streams.join.FULL_BYTES", 60_000)
    made = processes(**parallel(groups=APART))
    made.parked = {"reviews.link.c": []}
    assert made.joiner is not None
    full = []
    for at in range(4):
        through(made, [f"0.4 {'x' * 4_000}"], first=at)
        full.append(dict(made.joiner.full))
    assert full[:2] == [{}, {}]
    assert full[3] == {0: 4}, "bytes count, also of a few records"
    made.joiner.restore({0: made.state})
    assert [size > 4_000 for size in made.joiner._sizes[0].values()] == [True] * 4, "after a restart they count as well"
    frames = made.parked.pop("reviews.link.c")
    for frame in frames:
        made.run("reviews.link.c", [frame])
    assert (made.joiner.full, made.joiner._sizes[0], made.ends) == ({}, {}, [0, 1, 2, 3])


def parked(processes: Start, texts: list[str], **sections: Any) -> Processes:
    """Take records one at a time to the link of egress and no further; branch after branch lies there."""
    made = processes(**parallel(groups=APART, delivery={"on_failure": "stop"}, **sections))
    made.parked = {f"reviews.link.{name}": [] for name in ("a", "b", "c", "egress")}
    for at, text in enumerate(texts):
        through(made, [text], first=at)
    for name in ("a", "b", "c"):
        for frame in made.parked[f"reviews.link.{name}"]:
            made.run(frame.position.topic, [message(frame.value, position=frame.position, timestamp_ms=NOON_MS)])
    return made
