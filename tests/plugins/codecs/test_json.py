"""The codec `json`: any JSON value, and errors that say where without saying what."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace import Message
from headrace.plugins.codecs.errors import NotJsonError, NotUtf8Error
from headrace.plugins.codecs.json import decode_json

MakeMessage = Callable[..., Message]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(value=VALUES)
def test_any_json_value_comes_out_as_it_went_in(message: MakeMessage, value: Any) -> None:
    assert decode_json(message(json.dumps(value).encode())).value == value


@pytest.mark.parametrize("value", ['{"body": "fine"}', '"text"', "[1, 2]", "7", "null", "true"])
def test_the_kind_of_the_value_is_not_the_codecs_business(message: MakeMessage, value: str) -> None:
    assert decode_json(message(value.encode())).value == json.loads(value)


def test_a_byte_order_mark_is_left_out(message: MakeMessage) -> None:
    assert decode_json(message(b'\xef\xbb\xbf{"a": 1}')).value == {"a": 1}


def test_lone_surrogates_are_read(message: MakeMessage) -> None:
    assert decode_json(message(b'{"body": "cut \\ud83d"}')).value == {"body": "cut \ud83d"}


@pytest.mark.provokes("HR511")
@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (b"", "it is empty"),
        (b"nul", "expecting value at line 1, column 1"),
        (b'{"a": 1,\n "b" 2}', "expecting ':' delimiter at line 2, column 6"),
        (b'{"a": 1,}', "expecting property name enclosed in double quotes at line 1, column 9"),
        (b'{"a": 1', "expecting ',' delimiter at line 1, column 8"),
        (b'{"a": "x', "unterminated string starting at line 1, column 7"),
        (b'{"a": NaN}', "invalid character at byte 6"),
        (b'["\\ud83d", NaN]', "NaN is not JSON"),
        (b"{} {}", "extra data at line 1, column 4"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b'["\\ud83d",' + b"[" * 100_000, "it is nested too deeply"),
        (b'["\\ud83d",' + b"1" * 5_000 + b"]", "a number in it has too many digits"),
    ],
)
def test_broken_json_says_what_is_missing_and_where(message: MakeMessage, value: bytes, fault: str) -> None:
    with pytest.raises(NotJsonError) as caught:
        decode_json(message(value))
    assert caught.value.fault == f"the value is not JSON: {fault}"
    assert caught.value.mend


@pytest.mark.provokes("HR510")
def test_bytes_that_are_not_utf8_say_at_which_byte(message: MakeMessage) -> None:
    with pytest.raises(NotUtf8Error, match="invalid continuation byte at byte 7"):
        decode_json(message('{"a":"é"}'.encode("latin-1").replace(b'":"', b'": "')))


@given(value=st.binary())
def test_noise_is_a_value_or_a_record_error_and_never_anything_else(message: MakeMessage, value: bytes) -> None:
    with suppress(NotUtf8Error, NotJsonError):
        decode_json(message(value))


@given(
    secret=st.from_regex(r"[a-z]{12}", fullmatch=True),
    broken=st.sampled_from(['{"a": "%s"', "{%s}", '["%s" "%s"]', "%s"]),
)
def test_an_error_never_repeats_the_payload(message: MakeMessage, secret: str, broken: str) -> None:
    with pytest.raises(NotJsonError) as caught:
        decode_json(message(broken.replace("%s", secret).encode()))
    assert secret not in str(caught.value)


def test_a_structured_event_is_unwrapped(message: MakeMessage) -> None:
    event = {"specversion": "1.0", "id": "7", "source": "/shop", "type": "review", "data": {"body": "fine"}}
    content = decode_json(
        message(json.dumps(event).encode(), content_type="application/cloudevents+json; charset=utf-8")
    )
    assert content.value == {"body": "fine"}
    assert content.attributes == {"specversion": "1.0", "id": "7", "source": "/shop", "type": "review"}


def test_without_its_content_type_an_event_is_plain_json(message: MakeMessage) -> None:
    event = {"specversion": "1.0", "id": "7", "source": "/shop", "type": "review", "data": {"body": "fine"}}
    content = decode_json(message(json.dumps(event).encode(), content_type="application/json"))
    assert content.value == event
    assert content.attributes == {}
