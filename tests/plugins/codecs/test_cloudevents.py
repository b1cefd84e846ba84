"""The codec `cloudevents`: both modes, JSON and text, and an error for everything that is no event."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace import Message, RecordError
from headrace.core.wire.incoming import Intake, to_record
from headrace.plugins.codecs.cloudevents import decode_event
from headrace.plugins.codecs.errors import (
    EventAttributeError,
    EventAttributeMissingError,
    EventContentTypeError,
    EventDataError,
    NotAnEventError,
)

MakeMessage = Callable[..., Message]
STRUCTURED = "application/cloudevents+json"
HEADERS = {"ce_specversion": "1.0", "ce_id": "7", "ce_source": "/shop", "ce_type": "review"}
ENVELOPE = {"specversion": "1.0", "id": "7", "source": "/shop", "type": "review"}


def structured(message: MakeMessage, **changes: Any) -> Message:
    return message(json.dumps({**ENVELOPE, **changes}).encode(), content_type=STRUCTURED)


def test_a_binary_event_gives_its_data_and_the_runtime_reads_its_headers(message: MakeMessage) -> None:
    given_ = message(b'{"body": "fine"}', **HEADERS, content_type="application/json")
    content = decode_event(given_)
    assert content.value == {"body": "fine"}
    assert to_record(given_, content, Intake(text=("body",))).id == "/shop|7"


def test_a_structured_event_has_the_same_record_id_as_a_binary_one(message: MakeMessage) -> None:
    given_ = structured(message, data={"body": "fine"})
    assert to_record(given_, decode_event(given_), Intake(text=("body",))).id == "/shop|7"


def test_the_deadline_of_a_structured_event_is_read_from_its_envelope(message: MakeMessage) -> None:
    given_ = structured(message, data={"body": "fine"}, expirytime="2026-11-23T20:00:00Z")
    assert to_record(given_, decode_event(given_), Intake(text=("body",))).deadline_ms == 1_795_464_000_000


@pytest.mark.parametrize("kind", [None, "application/json", "application/vnd.review+json; charset=UTF-8", "text/json"])
def test_binary_data_without_type_or_with_a_json_type_is_json(message: MakeMessage, kind: str | None) -> None:
    types = {} if kind is None else {"content_type": kind}
    assert decode_event(message(b'"fine"', **HEADERS, **types)).value == "fine"


def test_data_of_a_text_type_is_text(message: MakeMessage) -> None:
    assert decode_event(message(b"7 stars", **HEADERS, content_type="text/plain")).value == "7 stars"


@pytest.mark.parametrize("data", [{"body": "fine"}, "fine", 7, None, [1]])
def test_structured_data_is_any_json_value(message: MakeMessage, data: Any) -> None:
    assert decode_event(structured(message, data=data)).value == data


def test_an_event_without_data_has_none(message: MakeMessage) -> None:
    assert decode_event(structured(message)).value is None


@pytest.mark.parametrize(
    ("kind", "data", "value"),
    [(None, b'{"a": 1}', {"a": 1}), ("application/json", b"[1]", [1]), ("text/plain", "né".encode(), "né")],
)
def test_data_in_base64_is_read_by_its_content_type(
    message: MakeMessage, kind: str | None, data: bytes, value: Any
) -> None:
    content = decode_event(structured(message, data_base64=b64encode(data).decode(), datacontenttype=kind))
    assert content.value == value


def test_attributes_that_are_no_strings_come_out_as_cloudevents_writes_them(message: MakeMessage) -> None:
    content = decode_event(structured(message, count=5, sampled=True, absent=None, cut="\ud83d"))
    assert content.attributes == {**ENVELOPE, "count": "5", "sampled": "true", "cut": "\ufffd"}


@pytest.mark.provokes("HR512")
@pytest.mark.parametrize(
    ("value", "headers", "fault"),
    [
        (b"{}", {}, "the message has no ce_ headers, and its content type is not application/cloudevents+json"),
        (b"[]", {"content_type": STRUCTURED}, "the event is JSON, but not an object"),
        (b"[]", {"content_type": "application/cloudevents-batch+json"}, "the message is a batch of CloudEvents"),
    ],
)
def test_what_is_no_event_is_refused(message: MakeMessage, value: bytes, headers: dict[str, str], fault: str) -> None:
    with pytest.raises(NotAnEventError) as caught:
        decode_event(message(value, **headers))
    assert caught.value.fault == fault


@pytest.mark.provokes("HR513")
@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
def test_a_missing_or_empty_attribute_is_named_as_the_publisher_writes_it(message: MakeMessage, name: str) -> None:
    for headers in ({**HEADERS, f"ce_{name}": ""}, {key: text for key, text in HEADERS.items() if key != f"ce_{name}"}):
        with pytest.raises(EventAttributeMissingError, match=f"the event has no ce_{name}"):
            decode_event(message(b"{}", **headers))
    for value in ("", None):
        with pytest.raises(EventAttributeMissingError, match=f"the event has no {name}"):
            decode_event(structured(message, **{name: value}))


@pytest.mark.provokes("HR514")
def test_an_attribute_that_is_an_object_and_an_event_of_another_version_are_refused(message: MakeMessage) -> None:
    with pytest.raises(EventAttributeError, match="'user' is not a string, boolean or whole number"):
        decode_event(structured(message, user={"id": 1}))
    with pytest.raises(EventAttributeError, match=r"specversion is not 1\.0"):
        decode_event(structured(message, specversion="0.3"))
    with pytest.raises(EventAttributeError, match=r"ce_specversion is not 1\.0"):
        decode_event(message(b"{}", **{**HEADERS, "ce_specversion": "0.3"}))


@pytest.mark.provokes("HR515")
@pytest.mark.parametrize("encoded", ["fine?", 7, "é", "YQ"])
def test_data_that_is_not_base64_is_refused(message: MakeMessage, encoded: Any) -> None:
    with pytest.raises(EventDataError, match="not a string of base64"):
        decode_event(structured(message, data_base64=encoded))


@pytest.mark.provokes("HR515")
def test_data_given_twice_is_refused(message: MakeMessage) -> None:
    with pytest.raises(EventDataError, match="both data and data_base64"):
        decode_event(structured(message, data={}, data_base64="e30="))


@pytest.mark.provokes("HR516")
def test_data_that_is_neither_json_nor_text_is_refused(message: MakeMessage) -> None:
    with pytest.raises(EventContentTypeError, match="'image/png', neither JSON nor text"):
        decode_event(message(b"\x89PNG", **HEADERS, content_type="image/png"))
    with pytest.raises(EventContentTypeError, match="'application/xml'"):
        decode_event(structured(message, data_base64="PGEvPg==", datacontenttype="application/xml"))


@given(value=st.binary(), kind=st.sampled_from(["", STRUCTURED, "text/plain", "application/json", "ä/ö"]))
def test_noise_is_content_or_a_record_error_and_never_anything_else(
    message: MakeMessage, value: bytes, kind: str
) -> None:
    with suppress(RecordError):
        decode_event(message(value, **HEADERS, content_type=kind))


@given(
    envelope=st.dictionaries(
        st.sampled_from([*ENVELOPE, "data", "data_base64", "ext"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
    )
)
def test_any_envelope_is_content_or_a_record_error(message: MakeMessage, envelope: dict[str, Any]) -> None:
    with suppress(RecordError):
        decode_event(message(json.dumps(envelope).encode(), content_type=STRUCTURED))
