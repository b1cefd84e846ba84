"""The fallback: what a record gets that failed, and which failures it is not for."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.core.record import Position
from headrace.core.wire.dead import Failure
from headrace.core.wire.frame import decode_frame, encode_frames, encode_record
from headrace.core.wire.result import ResultBody, ResultFacts, Spent, result_body
from headrace.streams.fallback import Fallback
from headrace.streams.slot import Slot
from tests.support.made import message, record

SPENT = Spent(1_795_435_200_001.0, 1_795_435_200_002.0, 0.1, 0.1)


def failed(code: str = "HR501", **more: Any) -> Slot:
    slot = Slot(None, record("sad", output={"label": "half done"}, **more))
    said: dict[str, Any] = {
        "error": "ValueError",
        "kind": "author",
        "message": "it hurts",
        "stage": "quick",
        "plugin": "lexicon",
    }
    slot.fail(Failure(code=code, attempt=4, **said))
    return slot


def test_a_failed_record_becomes_a_result_that_says_why() -> None:
    slot = failed()
    Fallback({"label": "unknown", "score": 0}).rescue([slot])
    assert not slot.failures
    assert slot.record is not None
    (carried,) = decode_frame(
        next(iter(encode_frames("abc", "quick", [encode_record(slot.record)], 10_000)))[0]
    ).records
    assert not isinstance(carried, Exception)
    body = result_body(carried, ResultFacts("reviews", "abc"), SPENT, "2026-11-23T12:00:00.000Z")
    ResultBody.model_validate(body)
    assert (body["status"], body["reason"], body["output"]) == (
        "fallback",
        "it hurts",
        {"label": "unknown", "score": 0},
    )
    assert (body["model"], body["version"], body["attempt"]) == (None, None, 4)
    assert body["failure"] == {
        "code": "HR501",
        "class": "author",
        "error": "ValueError",
        "stage": "quick",
        "plugin": "lexicon",
    }


@pytest.mark.parametrize("code", ["HR520", "HR521", "HR523"])
def test_what_was_skipped_or_fits_no_plan_stays_a_dead_letter(code: str) -> None:
    slot = failed(code)
    Fallback({"label": "unknown"}).rescue([slot])
    assert [failure.code for failure in slot.failures] == [code]


def test_a_message_that_was_never_read_stays_a_dead_letter() -> None:
    slot = Slot(message(b"{"), source=Position("in", 0, 1))
    slot.fail(Failure(code="HR511", error="E", kind="publisher", message="no", stage="ingress", plugin="json"))
    Fallback({"label": "unknown"}).rescue([slot])
    assert slot.record is None
    assert slot.failure is not None
