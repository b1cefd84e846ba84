"""Which topics a pipeline has."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from headrace.core.plan.plan import Plan

Compile = Callable[..., Plan]
Problems = Callable[..., list[str]]


def test_a_pipeline_has_its_input_its_outputs_dead_letters_and_a_heartbeat(compiled: Compile, minimal: str) -> None:
    plan = compiled(minimal + "  - topic: {name: reviews.alerts, partitions: 2}\ntopics: {partitions: 4}\n")
    assert [(topic.name, topic.role, topic.partitions) for topic in plan.topics] == [
        ("reviews", "input", 4),
        ("reviews.scored", "output", 4),
        ("reviews.alerts", "output", 2),
        ("reviews.dead", "dead", 4),
        ("reviews.control", "control", 1),
        ("reviews.audit", "audit", 1),
        ("reviews.main.heartbeat", "heartbeat", 1),
    ]
    assert plan.dead_topic == "reviews.dead"
    assert plan.groups["main"].heartbeat_topic == "reviews.main.heartbeat"


def test_dead_letters_are_kept_until_someone_deletes_them(compiled: Compile, minimal: str) -> None:
    dead = next(topic for topic in compiled(minimal).topics if topic.role == "dead")
    assert dead.config["retention.ms"] == "-1"


def test_a_dead_letter_fits_its_topic_whatever_the_cluster_s_defaults_are(compiled: Compile, minimal: str) -> None:
    dead = next(topic for topic in compiled(minimal).topics if topic.role == "dead")
    assert dead.config["cleanup.policy"] == "delete", "a compacted topic takes no letter without a key"
    assert dead.config["message.timestamp.type"] == "CreateTime", "the original's timestamp must stay"
    assert dead.config["message.timestamp.after.max.ms"] == str(2**63 - 1), "the input may allow any timestamp"


def test_without_a_number_of_partitions_the_broker_decides(compiled: Compile, minimal: str) -> None:
    assert [topic.partitions for topic in compiled(minimal).topics] == [None, None, None, 1, 1, 1]


@pytest.mark.provokes("HR112")
@pytest.mark.parametrize(
    "name",
    [
        "dead",
        "control",
        "audit",
        "exposures",
        "feedback",
        "reports",
        "tokens",
        "link.a",
        "retry.a",
        "state.a",
        "a.heartbeat",
    ],
)
def test_names_that_headrace_uses_for_itself_are_reserved(problems: Problems, minimal: str, name: str) -> None:
    found = problems(minimal.replace("reviews.scored", f"reviews.{name}"))
    assert [line.split(" ")[1] for line in found] == ["HR112"]


@pytest.mark.parametrize("name", ["dead", "others.dead", "reviews.deadly", "reviewsXdead", "reviews.linked"])
def test_names_that_only_look_like_them_are_free(problems: Problems, minimal: str, name: str) -> None:
    assert not problems(minimal.replace("reviews.scored", name))
