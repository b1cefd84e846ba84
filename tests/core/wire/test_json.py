"""JSON in and out: what the standard library reads we read, and what we write anyone reads."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.wire.json import decode, encode, replace_surrogates
from tests.support.made import json_values, texts


@given(json_values)
def test_what_is_written_reads_back_the_same_lone_surrogates_included(value: Any) -> None:
    assert decode(encode(value)) == value == json.loads(encode(value))


@given(json_values)
def test_what_a_stranger_writes_with_escapes_is_read(value: Any) -> None:
    assert decode(json.dumps(value).encode()) == value


@given(st.binary(max_size=60) | texts.map(lambda text: json.dumps(text).encode()[:-1]))
def test_bytes_that_are_no_json_are_one_kind_of_error(data: bytes) -> None:
    with suppress(ValueError):
        decode(data)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "-Infinity", '{"a":NaN,"b":"\\ud800"}', "{'a':1}", "[1,]", ""])
def test_what_javascript_takes_and_json_does_not_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the codec words it for the publisher
        decode(text.encode())


def test_a_byte_order_mark_is_skipped() -> None:
    assert decode(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


@pytest.mark.parametrize("partner", ["fine", "\ud83d"])
def test_numbers_that_json_does_not_have_are_null_whatever_else_is_in_the_value(partner: str) -> None:
    written = encode({"score": math.nan, "all": [math.inf, 0.5], "text": partner})
    assert json.loads(written, parse_constant=pytest.fail) == {"score": None, "all": [None, 0.5], "text": partner}


def test_what_json_has_no_form_for_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        encode({"thing": object()})


@given(texts)
def test_a_text_without_surrogates_can_always_be_encoded_and_one_that_could_is_left_alone(text: str) -> None:
    clean = replace_surrogates(text)
    clean.encode()
    try:
        text.encode()
    except UnicodeEncodeError:
        assert "\ufffd" in clean
    else:
        assert clean is text


def test_two_halves_of_an_emoji_become_the_emoji() -> None:
    assert replace_surrogates("\ud83d\ude00 \ud83d") == "😀 \ufffd"
