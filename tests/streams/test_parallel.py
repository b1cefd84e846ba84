"""Several models asked at once: whatever the grouping, one end for each record, and the same one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from headrace.core.wire.result import ResultBody
from tests.support.processes import Processes, same_always, through

Start = Callable[..., Processes]

MODELS = {"a": "echo", "b": "echo", "c": {"echo": {"label": "calm"}}}
GROUPS: list[Mapping[str, Any]] = [
    {"heavy": {"models": ["b"]}},
    {"one": {"models": ["a"]}, "two": {"models": ["b"]}, "three": {"models": ["c"]}},
    {"in": {"stages": ["ingress"]}},
    {"in": {"stages": ["ingress"]}, "out": {"stages": ["egress"]}},
    {"models": {"models": ["a", "b", "c"]}},
]
TEXTS = [
    "0.95 glad",
    "0.4 well",
    "raise",
    "json null",
    "0.2 lone \ud83d",
    "0.1 calm",
    "json [1]",
    'json {"big": 1267650600228229401496703205376, "label": "x", "score": 0.5}',
    "0.99 x",
]


def parallel(join: str = "vote", **options: Any) -> dict[str, Any]:
    return {"models": MODELS, "route": {"parallel": {"models": ["a", "b", "c"], "join": join, **options}}}


def ids(groups: Mapping[str, Any]) -> str:
    return "+".join(groups)


@pytest.mark.parametrize("groups", GROUPS, ids=ids)
@pytest.mark.parametrize("join", ["best", "vote"])
def test_whatever_the_grouping_each_record_ends_the_same_and_once(
    processes: Start, groups: Mapping[str, Any], join: str
) -> None:
    fused, split = (
        through(processes(**parallel(join)), TEXTS),
        through(processes(**parallel(join), groups=groups), TEXTS),
    )
    assert split.hops
    assert not fused.hops
    assert same_always(split.results) == same_always(fused.results)
    assert {at: (each.code, each.message) for at, each in split.dead.items()} == {
        at: (each.code, each.message) for at, each in fused.dead.items()
    }
    for made in fused, split:
        assert sorted(made.ends) == list(range(len(TEXTS)))
        for body in made.results.values():
            ResultBody.model_validate(body)
    assert split.joiner is not None
    assert split.joiner.waiting == 0
    assert not split.state.kept().waiting
    (ended,) = split.state.kept().ended.values()
    assert [run[:2] for run in ended.runs] == [(0, len(TEXTS))]


def test_a_result_tells_who_answered_what(processes: Start) -> None:
    made = through(processes(**parallel()), ["0.4 sad"])
    body = made.results[0]
    assert body["output"] == {"label": "sad", "score": 0.4, "text": "0.4 sad", "votes": {"sad": 2, "calm": 1}}
    assert (body["model"], body["version"], body["assigned_model"]) == ("a", "a", "a")
    assert body["route"]["path"] == ["a", "b", "c"]
    assert body["route"]["reason"] == "2 of 3 said 'sad'"
    assert body["route"]["scores"] == {"a": 0.4, "b": 0.4, "c": 0.4}
    assert body["route"]["versions"] == {"a": "a", "b": "b", "c": "c"}
    assert body["route"]["outputs"]["c"]["label"] == "calm"
    assert body["timings"]["inference"] > 0


@pytest.mark.parametrize("groups", [{}, *GROUPS], ids=ids)
def test_an_average_has_no_model_of_its_own(processes: Start, groups: Mapping[str, Any]) -> None:
    text = 'json {"label": "x", "score": 0.6, "scores": {"x": 0.6, "y": 0.4}}'
    body = through(processes(**parallel("average"), groups=groups), [text]).results[0]
    assert body["output"] == {"label": "x", "score": pytest.approx(0.6), "scores": pytest.approx({"x": 0.6, "y": 0.4})}
    assert (body["model"], body["version"]) == (None, None)


@pytest.mark.parametrize("groups", [{}, *GROUPS], ids=ids)
def test_a_stopped_model_is_left_out(processes: Start, groups: Mapping[str, Any]) -> None:
    made = processes(**parallel(), groups=groups)
    made.live.change(stopped_models=frozenset({"b"}))
    body = through(made, ["0.4 sad"]).results[0]
    assert body["route"]["path"] == ["a", "c"]
    assert body["route"]["reason"] == "1 of 2 said 'sad'; b failed (HR522)"


@pytest.mark.parametrize("groups", [{}, *GROUPS], ids=ids)
def test_with_all_models_stopped_there_is_one_dead_letter_a_record(processes: Start, groups: Mapping[str, Any]) -> None:
    made = processes(**parallel(), groups=groups)
    made.live.change(stopped_models=frozenset("abc"))
    through(made, ["0.4 sad", "0.5 glad"])
    assert (made.ends, {each.code for each in made.dead.values()}) == ([0, 1], {"HR530"})
    assert "a failed (HR522: model 'a' is stopped" in made.dead[0].message


@pytest.mark.parametrize("groups", [{}, *GROUPS], ids=ids)
def test_a_quorum_makes_one_result(processes: Start, groups: Mapping[str, Any]) -> None:
    made = through(processes(**parallel(quorum=2), groups=groups), ["0.4 sad", "0.5 glad"])
    assert sorted(made.ends) == [0, 1]
    assert [len(body["route"]["path"]) for body in made.results.values()] == [2, 2]


def test_in_one_process_no_more_models_are_asked_than_it_takes(processes: Start) -> None:
    models = {"a": {"echo": {"label": "calm"}}, "b": "echo", "c": "echo"}
    made = processes(**{**parallel("first"), "models": models})
    asked: list[str] = []
    for name, stage in made.pipes["main"].models.items():
        (leg,) = stage._legs.values()
        leg._call = lambda batch, name=name, call=leg._call: asked.append(name) or call(batch)  # type: ignore[misc,func-returns-value]
    through(made, ["0.4 sad"])
    assert asked == ["a"]
    assert made.results[0]["route"]["reason"] == "a answered first; b was not waited for; c was not waited for"
    through(made, ["json null"])
    assert set(asked) == {"a", "b", "c"}
    assert made.dead[0].code == "HR530"


def test_what_cannot_travel_fails_its_record_once(processes: Start) -> None:
    made = processes(**parallel(), groups=GROUPS[1], preprocess=["odd"])
    through(made, ["0.5 a", "object", "0.5 b"])
    assert sorted(made.ends) == [0, 1, 2]
    assert made.dead[1].code == "HR530"
    assert "HR610" in made.dead[1].message


@pytest.mark.parametrize("groups", GROUPS, ids=ids)
def test_answers_too_large_for_the_link_fail_their_record_once(processes: Start, groups: Mapping[str, Any]) -> None:
    made = through(processes(**parallel(), groups=groups), ["0.5 x", "big 4000000", "0.5 y"])
    assert sorted(made.ends) == [0, 1, 2]
    assert made.dead[1].code == "HR530"
    assert "a failed (HR509: with 4,000," in made.dead[1].message


def test_skipped_answers_fail_their_record_once(processes: Start) -> None:
    made = processes(**parallel(), groups=GROUPS[1])
    made.live.change(skips={"egress": {0: (0, 99)}})
    through(made, ["0.4 a", "0.5 b"])
    assert sorted(made.ends) == [0, 1]
    assert {each.code for each in made.dead.values()} == {"HR530"}
    assert "HR523" in made.dead[0].message


@pytest.mark.parametrize("groups", GROUPS, ids=ids)
def test_records_of_another_way_leave_no_gap_in_what_has_ended(processes: Start, groups: Mapping[str, Any]) -> None:
    made = processes(models=MODELS, route={"forks": {"models": ["a", "b"], "otherwise": "c"}}, groups=groups)
    texts = ["0.5 one", "fork 1", "json null", "raise", "fork 2", "0.5 two", "raise", "fork 3"]
    through(made, texts)
    assert sorted(made.ends) == list(range(len(texts)))
    assert {at: each.code for at, each in made.dead.items()} == {2: "HR605", 3: "HR501", 6: "HR501"}
    assert {made.dead[at].stage for at in (2, 3)} == {"c", "ingress"}
    (ended,) = made.state.kept().ended.values()
    assert [run[:2] for run in ended.runs] == [(0, len(texts))]


def test_without_a_place_to_join_them_the_answers_of_a_record_are_one_dead_letter(processes: Start) -> None:
    made = processes(**parallel(), groups=GROUPS[0])
    made.joiner = None
    through(made, ["0.5 a", "0.5 b"])
    assert made.ends == [0, 1]
    assert {each.code for each in made.dead.values()} == {"HR521"}
