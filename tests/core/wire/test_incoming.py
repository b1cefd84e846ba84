"""From a message to a record: id, text, unit and deadline as the contract has them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from headrace.core.errors import RecordError
from headrace.core.record import Content, Record
from headrace.core.wire.errors import (
    ExpiryTimeError,
    NotAnObjectError,
    TextMissingError,
    TextTypeError,
    TombstoneError,
    TooLargeError,
)
from headrace.core.wire.incoming import Intake, refuse_unreadable, size_bytes, to_record
from tests.support.made import NOON_MS, headers, json_values, keys, message, texts

BODY = Intake(text=("body",))


def read(value: Any, intake: Intake = BODY, attributes: dict[str, str] | None = None, **fields: Any) -> Record:
    return to_record(message(**fields), Content(value, attributes or {}), intake)


def test_the_id_is_where_the_message_lies() -> None:
    assert read({"body": "x"}).id == "reviews:3:7"


@pytest.mark.parametrize(
    ("given_headers", "attributes"),
    [((("ce_id", b"42"), ("ce_source", b"/shop")), {}), ((), {"id": "42", "source": "/shop"})],
)
def test_the_id_of_an_event_is_its_source_and_id(given_headers: Any, attributes: dict[str, str]) -> None:
    assert read({"body": "x"}, attributes=attributes, headers=given_headers).id == "/shop|42"


@pytest.mark.parametrize(
    "half", [(("ce_id", b"42"),), (("ce_source", b"/shop"),), (("ce_id", b""), ("ce_source", b"s"))]
)
def test_half_an_event_has_the_id_of_its_place(half: Any) -> None:
    assert read({"body": "x"}, headers=half).id == "reviews:3:7"


def test_what_an_envelope_says_of_itself_goes_before_headers() -> None:
    outside = (("ce_id", b"1"), ("ce_source", b"/outside"))
    assert read({"body": "x"}, attributes={"id": "2", "source": "/inside"}, headers=outside).id == "/inside|2"


@given(keys, headers, st.integers(-1, 2**53), json_values)
def test_key_headers_and_timestamp_are_never_touched(key: Any, given_headers: Any, stamp: int, value: Any) -> None:
    assume(not any(name.startswith("ce_") for name, _ in given_headers))
    made = read(value, Intake(), key=key, headers=given_headers, timestamp_ms=stamp)
    assert (made.key, made.headers, made.timestamp_ms, made.value) == (key, given_headers, stamp, value)


def test_an_empty_text_is_a_text() -> None:
    assert read({"body": ""}).text == ""


def test_a_whole_value_of_text_is_the_text() -> None:
    assert read("hello", Intake()).text == "hello"


@given(texts)
def test_a_text_of_any_characters_can_be_given_to_a_tokenizer(text: str) -> None:
    read({"body": text}).text.encode()


@pytest.mark.provokes("HR504")
@pytest.mark.parametrize("value", [{}, {"body": None}, {"text": "x"}])
def test_a_missing_text_is_named_by_its_path(value: Any) -> None:
    with pytest.raises(TextMissingError, match="no text at 'body'"):
        read(value)


@pytest.mark.provokes("HR505")
@pytest.mark.parametrize(("value", "kind"), [(3, "a number"), ([], "a list"), ({}, "an object"), (True, "a boolean")])
def test_a_text_that_is_none_is_not_made_into_one(value: Any, kind: str) -> None:
    with pytest.raises(TextTypeError, match=f"'body' is {kind}, not a string"):
        read({"body": value})


@pytest.mark.provokes("HR506")
@pytest.mark.parametrize(
    ("value", "kind"), [([1], "a list"), (1.5, "a number"), ("x", "a string"), (None, "null"), (False, "a boolean")]
)
def test_a_value_without_fields_is_refused_where_a_path_is_asked_for(value: Any, kind: str) -> None:
    with pytest.raises(NotAnObjectError, match=f"the value is {kind}, not a JSON object"):
        read(value)


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        ("ann", "ann"),
        ("", ""),
        ("\ud83d", "\ud83d"),
        (42, "42"),
        (42.0, "42"),
        (0.1, "0.1"),
        (1e300, str(int(1e300))),
        (True, "true"),
        (False, "false"),
        (None, None),
        ([1], None),
        ({"id": 1}, None),
    ],
)
def test_a_unit_is_a_text_whatever_json_writes_it_as(value: Any, unit: str | None) -> None:
    assert read({"body": "x", "user": value}, Intake(unit=("user",))).unit == unit


def test_without_a_path_there_is_no_unit() -> None:
    assert read({"user": "ann"}, Intake()).unit is None


@pytest.mark.parametrize(
    ("expiry", "deadline_ms"),
    [
        ("2026-11-23T12:00:00Z", NOON_MS),
        ("2026-11-23t12:00:00.250z", NOON_MS + 250),
        ("2026-11-23T13:00:00+01:00", NOON_MS),
        ("2026-11-23 12:00:00.123456789Z", NOON_MS + 123),
        ("0001-01-01T00:00:00+14:00", -62135647200000),
    ],
)
def test_an_expiry_time_is_the_deadline(expiry: str, deadline_ms: int) -> None:
    assert read({"body": "x"}, headers=(("ce_expirytime", expiry.encode()),)).deadline_ms == deadline_ms


@pytest.mark.provokes("HR507")
@pytest.mark.parametrize(
    "expiry",
    [
        "",
        "soon",
        "1795435200",
        "2026-11-23",
        "2026-11-23T12:00:00",
        "2026-W48-1",
        "2026-02-30T00:00:00Z",
        "\uff12\uff10\uff12\uff16-11-23T12:00:00Z",
    ],
)
def test_an_expiry_time_that_could_be_any_is_refused(expiry: str) -> None:
    with pytest.raises(ExpiryTimeError, match="not an RFC 3339 time"):
        read({"body": "x"}, headers=(("ce_expirytime", expiry.encode()),))


def test_a_pipeline_s_deadline_counts_from_the_message_s_time_and_an_event_s_own_goes_before_it() -> None:
    intake = Intake(text=("body",), deadline_ms=5_000)
    own = (("ce_expirytime", b"2026-11-23T12:00:01Z"),)
    assert read({"body": "x"}, intake).deadline_ms == NOON_MS + 5_000
    assert read({"body": "x"}, intake, headers=own).deadline_ms == NOON_MS + 1_000
    assert read({"body": "x"}, intake, timestamp_ms=-1).deadline_ms is None, "nobody knows when it was published"
    assert read({"body": "x"}).deadline_ms is None


@pytest.mark.provokes("HR502")
def test_a_tombstone_is_refused_before_any_codec_sees_it() -> None:
    with pytest.raises(TombstoneError):
        refuse_unreadable(message(None), Intake())


@pytest.mark.provokes("HR503")
def test_a_message_counts_with_key_and_headers_to_the_last_byte() -> None:
    large = message(b"12345", key=b"123", headers=(("ab", b"cd"), ("e", None)))
    assert size_bytes(large) == 13
    refuse_unreadable(large, Intake(max_bytes=13))
    with pytest.raises(TooLargeError, match=r"13 bytes, more than input.max_bytes \(12\)"):
        refuse_unreadable(large, Intake(max_bytes=12))


@given(json_values, headers, st.sampled_from([Intake(), BODY, Intake(text=("a", "0"), unit=("b",), deadline_ms=1)]))
def test_a_message_becomes_a_record_or_an_error_of_its_publisher_never_anything_else(
    value: Any, given_headers: Any, intake: Intake
) -> None:
    try:
        made = read(value, intake, headers=given_headers)
    except RecordError:
        return
    assert isinstance(made.text, str)
    assert math.isfinite(made.deadline_ms or 0)
