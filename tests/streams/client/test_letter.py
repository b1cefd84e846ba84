"""Results and dead letters as facts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis.strategies import binary

from headrace.core.record import Headers, Message, Position
from headrace.core.wire.dead import Failure, dead_letter
from headrace.streams.client.letter import letter_facts, result_line


def message(value: bytes | None, *, key: bytes | None = b"ann", headers: Headers = ()) -> Message:
    return Message(Position("t", 1, 2), key, value, headers, 1_700_000_000_000)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b'{"id":"a", "n":1.50}', b'{"topic":"t","id":"a", "n":1.50}'),
        (b"{}", b'{"topic":"t"}'),
        (b'\xef\xbb\xbf {"a":1} ', b'{"topic":"t","a":1}'),
        (b'{"a":\n 1}', b'{"topic":"t","a":1}'),
        (b"[1]", b'{"topic":"t","key":"ann","value":"[1]"}'),
        (b"\xff", b'{"topic":"t","key":"ann","value":null,"value_base64":"/w=="}'),
        (None, b'{"topic":"t","key":"ann","value":null}'),
    ],
)
def test_a_result_is_its_topic_and_its_body_as_it_stands(body: bytes | None, line: bytes) -> None:
    assert result_line(message(body)) == line


@given(binary(max_size=60))
def test_any_value_becomes_one_line_of_json(value: bytes) -> None:
    line = result_line(message(value))
    assert json.loads(line)["topic"] == "t"
    assert b"\n" not in line


def test_a_dead_letter_says_why_where_and_what() -> None:
    failure = Failure(
        code="HR504", error="TextMissingError", kind="publisher", message="no text", stage="ingress", plugin="json"
    )
    sent = dead_letter(
        message(b'{"a": 1}'), failure, topic="p.dead", pipeline="p", plan="abc", now_ms=1_700_000_001_000
    )
    facts = letter_facts(Message(Position("p.dead", 0, 5), sent.key, sent.value, sent.headers, 1_700_000_000_000))
    assert facts == {
        "topic": "p.dead",
        "partition": 0,
        "offset": 5,
        "time": "2023-11-14T22:13:21.000Z",
        "code": "HR504",
        "class": "publisher",
        "error": "TextMissingError",
        "message": "no text",
        "stage": "ingress",
        "plugin": "json",
        "output": None,
        "attempt": 1,
        "redriven": 0,
        "original_missing": None,
        "id": "t:1:2",
        "source": {"topic": "t", "partition": 1, "offset": 2},
        "key": "ann",
        "value": '{"a": 1}',
    }


def test_a_dead_letter_that_somebody_else_wrote_is_read_as_far_as_it_goes() -> None:
    facts = letter_facts(message(b"\x80", key=b"\xff", headers=(("__streams.errors.offset", b"x"),)))
    assert (facts["code"], facts["source"]["offset"], facts["attempt"]) == (None, None, 0)
    assert (facts["key"], facts["key_base64"], facts["value_base64"]) == (None, "/w==", "gA==")
