"""The body of a result: exactly the fields of its model, whatever the record."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from headrace.core.experiments.experiment import Assigned
from headrace.core.routing.slip import Slip
from headrace.core.wire.json import encode
from headrace.core.wire.result import ResultBody, ResultFacts, Spent, iso_time, result_body
from tests.support.made import NOON_MS, record
from tests.support.results import DECISION, records

FACTS = ResultFacts("reviews", "abc")
SPENT = Spent(begun_ms=NOON_MS + 5, ended_ms=NOON_MS + 25, preprocess_ms=1.23456, postprocess_ms=2.0)
TIME = "2026-11-23T12:00:00.025Z"


def body_of(**fields: Any) -> dict[str, Any]:
    return result_body(record(**fields), FACTS, SPENT, TIME)


@given(records)
def test_a_body_has_the_fields_of_its_model_in_their_order_and_no_others(made: Any) -> None:
    body = result_body(made, FACTS, SPENT, TIME)
    read = ResultBody.model_validate(body)
    seldom = {name for name in ("key_base64", "failure") if getattr(read, name) is None}
    expected = [name for name in ResultBody.model_fields if name not in seldom]
    assert list(body) == expected


@given(records)
def test_a_body_can_always_be_written_and_read_back_by_anyone(made: Any) -> None:
    body = result_body(made, FACTS, SPENT, TIME)
    read = json.loads(encode(body))
    assert read["id"] == made.id
    assert read["output"] == (None if made.output is None else dict(made.output))


def test_who_served_and_how_it_was_chosen_is_said() -> None:
    slip = Slip(policy="cascade", decision=DECISION, at=None, path=("quick",), reason="sure", version="lexicon@1")
    body = body_of(slip=slip, output={"label": "good"})
    assert (body["model"], body["version"], body["assigned_model"]) == ("quick", "lexicon@1", "quick")
    assert body["route"] == {
        "policy": "cascade",
        "path": ("quick",),
        "reason": "sure",
        "propensity": 0.5,
        "scores": {"quick": 0.5},
    }


def test_the_variants_that_a_record_met_are_said() -> None:
    body = body_of(experiments=(Assigned("colour", 2, "blue"), Assigned("size", 1, "large")))
    assert body["experiments"] == [
        {"id": "colour", "phase": 2, "variant": "blue"},
        {"id": "size", "phase": 1, "variant": "large"},
    ]
    assert body_of()["experiments"] == []


def test_without_a_model_there_is_no_route() -> None:
    body = body_of()
    assert [body[name] for name in ("model", "version", "assigned_model", "route", "output")] == [None] * 5


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (None, {"key": None}),
        (b"", {"key": ""}),
        ("änn".encode(), {"key": "änn"}),
        (b"\xff\x00", {"key": None, "key_base64": "/wA="}),
    ],
)
def test_a_key_is_a_text_or_its_bytes(key: bytes | None, said: dict[str, Any]) -> None:
    body = body_of(key=key)
    assert {name: body[name] for name in body if name.startswith("key")} == said


def test_times_are_milliseconds_and_add_up() -> None:
    assert body_of(inference_ms=9.87654)["timings"] == {
        "queue": 5.0,
        "preprocess": 1.235,
        "inference": 9.877,
        "postprocess": 2.0,
        "total": 25.0,
    }


def test_a_clock_that_runs_behind_the_publisher_s_makes_no_negative_times() -> None:
    assert body_of(timestamp_ms=NOON_MS + 60_000)["timings"]["total"] == 0


def test_a_message_without_a_time_has_not_waited_since_1970() -> None:
    timings = body_of(timestamp_ms=-1)["timings"]
    assert (timings["queue"], timings["total"]) == (0, 20)


def test_a_time_is_iso_8601_in_utc() -> None:
    assert iso_time(NOON_MS + 7.9) == "2026-11-23T12:00:00.007Z"
