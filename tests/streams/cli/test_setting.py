"""`headrace pause`, `resume`, `skip`, and the kill switches: each writes one setting and says what it means."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.controlled import Controlled

pytestmark = pytest.mark.broker

Headrace = Callable[..., Any]


def test_a_stage_is_paused_and_resumed(headrace: Headrace, controlled: Controlled) -> None:
    outcome = headrace("pause", controlled.file, "--stage", "ingress", "--why", "rest")
    assert (outcome.code, outcome.err) == (0, "")
    paused, resume = outcome.out.splitlines()
    assert paused == f"paused   ingress: nothing of {controlled.pipeline} is read"
    assert resume.endswith(f"resume {controlled.file} --stage ingress")
    said = controlled.settings()["paused/ingress"]
    assert isinstance(said, dict)
    assert said["why"] == "rest"
    assert said["time"].endswith("Z")

    outcome = headrace("resume", controlled.file)
    assert (outcome.code, outcome.out) == (0, "resumed  ingress\n")
    assert controlled.settings()["paused/ingress"] is None
    entries = [seen.body for seen in controlled.client.all(controlled.audit)]
    assert [(one["key"], one["new"] is None, one["why"]) for one in entries] == [
        ("paused/ingress", False, "rest"),
        ("paused/ingress", True, ""),
    ]


def test_what_is_not_paused_is_not_resumed(headrace: Headrace, controlled: Controlled) -> None:
    assert headrace("resume", controlled.file).out == "nothing is paused\n"
    assert headrace("resume", controlled.file, "--stage", "ingress").out == "ingress is not paused\n"
    assert controlled.client.all(controlled.audit) == []


def test_a_stage_that_the_file_no_longer_has_can_still_be_resumed(headrace: Headrace, controlled: Controlled) -> None:
    controlled.write(("paused/expert", b"{}"), ("paused/ingress", b"{}"))
    assert headrace("resume", controlled.file, "--stage", "expert").out == "resumed  expert\n"
    settings = controlled.settings()
    assert settings["paused/expert"] is None
    assert settings["paused/ingress"] == {}


@pytest.mark.parametrize(
    ("command", "more"),
    [("pause", ()), ("resume", ()), ("skip", ("--partition", "0"))],
)
def test_a_stage_that_there_is_not_is_refused_with_the_nearest(
    headrace: Headrace, controlled: Controlled, command: str, more: tuple[str, ...]
) -> None:
    outcome = headrace(command, controlled.file, "--stage", "ingres", *more)
    assert outcome.code == 1
    assert outcome.err == "HR439 the pipeline has no stage 'ingres'; did you mean 'ingress'?\n"
    assert controlled.client.all(controlled.control) == []


def test_the_next_records_are_skipped(headrace: Headrace, controlled: Controlled) -> None:
    controlled.publish(5)
    controlled.client.commit(controlled.group, controlled.pipeline, {0: 2})
    outcome = headrace("skip", controlled.file, "--stage", "ingress", "--partition", "0", "--why", "poison")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        f"skip     offset 2 of {controlled.pipeline}, partition 0",
        f"become   dead letters in {controlled.pipeline}.dead, without being tried",
        "behind   2 more wait in that partition",
    ]
    said = controlled.settings()["skip/ingress/0"]
    assert isinstance(said, dict)
    assert (said["from"], said["until"], said["why"]) == (2, 3, "poison")

    outcome = headrace("skip", controlled.file, "--stage", "ingress", "--partition", "0", "--count", "9", "--json")
    (change,) = json.loads(outcome.out)
    assert (change["old"]["until"], change["new"]["from"], change["new"]["until"]) == (3, 2, 5)


def test_one_record_is_passed_over(headrace: Headrace, controlled: Controlled) -> None:
    record = f"{controlled.pipeline}:1:17"
    outcome = headrace("skip", controlled.file, "--stage", "ingress", "--record", record, "--why", "poison")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        f"skip     record {record}, when it fails at ingress",
        f"becomes  a dead letter in {controlled.pipeline}.dead",
    ]
    said = controlled.settings()[f"skip/ingress/record/{record}"]
    assert isinstance(said, dict)
    assert said["why"] == "poison"


@pytest.mark.parametrize("more", [(), ("--partition", "0", "--record", "a:0:1")])
def test_a_skip_names_one_thing(headrace: Headrace, controlled: Controlled, more: tuple[str, ...]) -> None:
    outcome = headrace("skip", controlled.file, "--stage", "ingress", *more)
    assert outcome.code == 2
    assert "name one: a --partition, or a --record" in outcome.err


def test_where_nothing_waits_there_is_nothing_to_skip(headrace: Headrace, controlled: Controlled) -> None:
    outcome = headrace("skip", controlled.file, "--stage", "ingress", "--partition", "7")
    assert outcome.code == 1
    assert outcome.err == f"HR226 topic '{controlled.pipeline}' has no partition 7; it has 0 to 1\n"


def test_a_model_is_stopped_and_started(headrace: Headrace, controlled: Controlled) -> None:
    outcome = headrace("model", "stop", controlled.file, "quick", "--why", "cost")
    assert (outcome.code, outcome.out) == (0, "stopped  quick: it answers no record\n")
    said = controlled.settings()["stopped/model/quick"]
    assert isinstance(said, dict)
    assert said["why"] == "cost"
    assert headrace("model", "start", controlled.file, "quick").out == "started  quick\n"
    assert controlled.settings()["stopped/model/quick"] is None
    assert headrace("model", "start", controlled.file, "quick").out == "quick is not stopped\n"


@pytest.mark.parametrize("verb", ["stop", "start"])
def test_a_model_that_there_is_not_is_refused(headrace: Headrace, controlled: Controlled, verb: str) -> None:
    outcome = headrace("model", verb, controlled.file, "quik")
    assert (outcome.code, outcome.err) == (1, "HR439 the pipeline has no model 'quik'; did you mean 'quick'?\n")


def test_a_stopped_experiment_is_started(headrace: Headrace, controlled: Controlled) -> None:
    controlled.write(("stopped/experiment/price", b'{"why": "harm"}'))
    assert headrace("experiment", "start", controlled.file, "price").out == "started  price\n"
    assert controlled.settings()["stopped/experiment/price"] is None


@pytest.mark.parametrize("verb", ["stop", "start"])
def test_an_experiment_that_there_is_not_is_refused(headrace: Headrace, controlled: Controlled, verb: str) -> None:
    outcome = headrace("experiment", verb, controlled.file, "price")
    assert (outcome.code, outcome.err) == (
        1,
        "HR439 the pipeline has no experiment 'price'; its file has no experiments\n",
    )


def test_a_pipeline_that_never_ran_cannot_be_changed(headrace: Headrace, controlled: Controlled) -> None:
    controlled.file.write_text(controlled.file.read_text().replace(controlled.pipeline, f"{controlled.pipeline}-x"))
    outcome = headrace("pause", controlled.file, "--stage", "ingress")
    assert outcome.code == 1
    assert outcome.err.startswith(f"HR218 there is no topic '{controlled.pipeline}-x.control' on the broker at ")
