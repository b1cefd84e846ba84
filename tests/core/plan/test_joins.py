"""What a plan knows of the answers that it has to join: which, where, and what is kept while records wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headrace.core.config.errors import JoinError
from headrace.core.errors import ProblemsError
from headrace.core.plan.access import plan_access
from headrace.core.plan.facts import plan_facts, plan_ways
from headrace.core.plan.mermaid import mermaid
from headrace.core.plan.plan import Plan
from tests.support.planned import compiled

MODELS: dict[str, Any] = {name: {"cut": {"version": f"{name}@1"}} for name in "abc"}


def plan(folder: Path, groups: Any = None, models: Any = MODELS, **route: Any) -> Plan:
    said = {"models": ["a", "b"], "join": "vote", **route}
    return compiled(folder, models=models, route={"parallel": said}, groups=groups or {})


def test_in_one_process_nothing_is_kept(tmp_path: Path) -> None:
    made = plan(tmp_path)
    (join,) = made.joins
    assert (join.models, join.join, join.needed, join.is_apart) == (("a", "b"), "vote", 2, False)
    assert not made.keeps_joins
    assert {topic.role for topic in made.topics} & {"state", "link"} == set()
    assert [promise for promise in made.promises if promise.startswith("joins")] == [
        "joins: a model that fails is left out of the answer; a record that none answers becomes a dead letter"
    ]


@pytest.mark.parametrize(
    "groups",
    [
        {"heavy": {"models": ["b"]}},
        {"in": {"stages": ["ingress"]}},
        {"out": {"stages": ["egress"]}},
        {"both": {"models": ["a", "b"]}},
    ],
    ids="+".join,
)
def test_over_several_processes_what_waits_is_kept_on_a_compacted_topic(tmp_path: Path, groups: Any) -> None:
    made = plan(tmp_path, groups, deadline="500ms")
    assert made.keeps_joins
    (state,) = (topic for topic in made.topics if topic.role == "state")
    assert (state.name, state.partitions) == ("reviews.state.egress", None)
    assert state.config["cleanup.policy"] == "compact"
    (link,) = (topic for topic in made.topics if topic.name == "reviews.link.egress")
    assert link.config["message.timestamp.type"] == "LogAppendTime"
    assert state.max_bytes is not None
    assert link.max_bytes is not None
    assert state.max_bytes == 2 * link.max_bytes
    assert int(state.config["segment.bytes"]) >= state.max_bytes
    assert sum(promise.startswith("joins") for promise in made.promises) == 3


def test_a_model_that_is_not_asked_at_once_keeps_nothing_waiting_when_it_is_apart(tmp_path: Path) -> None:
    assert not plan(tmp_path, {"other": {"models": ["c"]}}).keeps_joins


def test_no_model_follows_another(tmp_path: Path) -> None:
    made = plan(tmp_path, models={"a": MODELS["a"], "b": {"cut": {"parts": 2}}})
    assert set(plan_ways(made)) == {
        ("ingress", "a"),
        ("ingress", "b.1"),
        ("b.1", "b.2"),
        ("a", "egress"),
        ("b.1", "egress"),
        ("b.2", "egress"),
        ("ingress", "egress"),
    }


def test_the_joins_of_variants_are_found_and_each_is_told_once(tmp_path: Path) -> None:
    route = {"parallel": {"models": ["a", "b"], "join": "vote"}}
    other = {"parallel": {"models": ["b", "c"], "join": "best", "quorum": 1}}
    made = compiled(
        tmp_path,
        models=MODELS,
        route=route,
        groups={"heavy": {"models": ["c"]}},
        experiments={"trial": {"variants": {"one": {"set": {"route": route}}, "two": {"set": {"route": other}}}}},
    )
    assert [(join.models, join.needed, join.is_apart) for join in made.joins] == [
        (("a", "b"), 2, False),
        (("b", "c"), 1, True),
    ]


def test_facts_and_drawing_tell_them(tmp_path: Path) -> None:
    made = plan(tmp_path, {"heavy": {"models": ["b"]}}, weights={"b": 2}, quorum=1)
    assert plan_facts(made)["joins"] == [
        {
            "models": ["a", "b"],
            "join": "vote",
            "answers": 1,
            "deadline_ms": None,
            "weights": {"b": 2.0},
            "state": "reviews.state.egress",
        }
    ]
    drawn = mermaid(made)
    assert 'stage0 -- "a copy each" --> stage1' in drawn
    assert 'stage1 -- "records" --> topic' in drawn, "answers of this process take the link as well"
    assert '<-- "answers that wait" --> topic' in drawn


@pytest.mark.provokes("HR122")
def test_an_average_over_different_labels_is_refused(tmp_path: Path) -> None:
    models = {name: {"cut": {"labels": list(labels)}} for name, labels in (("a", "xy"), ("b", "yz"))}
    with pytest.raises(ProblemsError) as caught:
        plan(tmp_path, models=models, join="average")
    (problem,) = caught.value.problems
    assert isinstance(problem, JoinError)
    assert str(problem).endswith(
        "HR122 a and b have different labels, so their scores have no average: x, y and y, z; "
        "join by vote, or rename labels in the models"
    )
    assert problem.place is not None
    assert Path(problem.place.file).read_text().splitlines()[problem.place.line - 1].startswith("route:")


@pytest.mark.parametrize("labels", [("xy", "yx"), ("xy", "")])
def test_the_same_labels_in_any_order_and_unknown_ones_pass(tmp_path: Path, labels: tuple[str, str]) -> None:
    models = {name: {"cut": {"labels": list(each)}} for name, each in zip("ab", labels, strict=True)}
    assert plan(tmp_path, models=models, join="average").joins


def test_a_vote_needs_no_common_labels(tmp_path: Path) -> None:
    models = {name: {"cut": {"labels": list(labels)}} for name, labels in (("a", "xy"), ("b", "yz"))}
    assert plan(tmp_path, models=models).joins


def test_only_egress_reads_and_writes_what_waits(tmp_path: Path) -> None:
    for groups in ({"heavy": {"models": ["b"]}}, {}):
        access = {
            one.who: {rule.name: rule.operations for rule in one.rules} for one in plan_access(plan(tmp_path, groups))
        }
        assert {"Read", "Write"} <= set(access["group main"]["reviews.state.egress"])
        assert "Write" in access["group main"]["reviews.link.egress"]
        if groups:
            assert access["group heavy"]["reviews.state.egress"] == ("Alter",)
            assert "Write" in access["group heavy"]["reviews.link.egress"]
