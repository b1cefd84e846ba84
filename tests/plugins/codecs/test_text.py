"""The codec `text`: UTF-8, or an error with the byte."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace import Message
from headrace.plugins.codecs.errors import NotUtf8Error
from headrace.plugins.codecs.text import decode_text

MakeMessage = Callable[..., Message]


@given(text=st.text().filter(lambda text: not text.startswith("\ufeff")))
def test_any_text_comes_out_as_it_went_in(message: MakeMessage, text: str) -> None:
    assert decode_text(message(text.encode())).value == text


def test_an_empty_value_is_an_empty_text(message: MakeMessage) -> None:
    assert decode_text(message(b"")).value == ""


def test_a_byte_order_mark_is_left_out(message: MakeMessage) -> None:
    assert decode_text(message("fine".encode("utf-8-sig"))).value == "fine"


@pytest.mark.provokes("HR510")
def test_a_text_that_is_not_utf8_says_at_which_byte(message: MakeMessage) -> None:
    with pytest.raises(NotUtf8Error) as caught:
        decode_text(message("a café".encode("latin-1")))
    assert caught.value.fault == "the value is not UTF-8: unexpected end of data at byte 5"
