"""Dead letters: the message as it came, and why, within the room that its topic has."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.errors import BrokerError, ConfigError, MachineError, PluginError, RecordError
from headrace.core.record import Message, Outgoing
from headrace.core.wire.dead import HEADROOM_BYTES, Failure, dead_letter, failure_class, prior_attempts, stub
from headrace.core.wire.incoming import size_bytes
from tests.support.made import NOON_MS, headers, keys, message, texts

FAILURE = Failure(
    code="HR501",
    error="ValueError",
    kind="author",
    message="it hurts",
    stage="ingress",
    plugin="shout",
    attempt=4,
    stacktrace="Traceback",
)


def buried(dead: Message, failure: Failure = FAILURE) -> Outgoing:
    return dead_letter(dead, failure, topic="reviews.dead", pipeline="reviews", plan="abc", now_ms=NOON_MS)


def test_it_says_why_where_and_after_how_many_attempts() -> None:
    assert dict(buried(message()).headers) == {
        "__streams.errors.exception": b"ValueError",
        "__streams.errors.message": b"it hurts",
        "__streams.errors.stacktrace": b"Traceback",
        "__streams.errors.topic": b"reviews",
        "__streams.errors.partition": b"3",
        "__streams.errors.offset": b"7",
        "headrace.code": b"HR501",
        "headrace.class": b"author",
        "headrace.stage": b"ingress",
        "headrace.plugin": b"shout",
        "headrace.attempt": b"4",
        "headrace.output": b"",
        "headrace.pipeline": b"reviews",
        "headrace.plan": b"abc",
        "headrace.time": b"2026-11-23T12:00:00.000Z",
    }


@given(keys, st.none() | st.binary(), headers, st.integers(0, 2**60))
def test_the_message_itself_is_as_it_came(key: Any, value: Any, given_headers: Any, stamp: int) -> None:
    letter = buried(message(value, key=key, headers=given_headers, timestamp_ms=stamp))
    assert (letter.topic, letter.key, letter.value, letter.timestamp_ms) == ("reviews.dead", key, value, stamp)
    theirs = [pair for pair in given_headers if not pair[0].startswith(("headrace.", "__streams.errors."))]
    assert list(letter.headers[: len(theirs)]) == theirs


def test_a_message_without_a_time_gets_that_of_its_burial() -> None:
    assert buried(message(timestamp_ms=-1)).timestamp_ms is None


def test_a_redriven_letter_counts_its_attempts_on_and_keeps_one_set_of_reasons() -> None:
    first = buried(message(headers=(("mine", b"x"),)))
    again = buried(message(headers=first.headers))
    assert dict(again.headers)["headrace.attempt"] == b"8"
    assert [name for name, _ in again.headers] == [name for name, _ in first.headers]


@pytest.mark.parametrize("odd", [None, b"", b"-1", b"four", b"\xb2", b"9" * 400])
def test_an_attempt_header_that_says_nothing_sensible_does_no_harm(odd: bytes | None) -> None:
    assert prior_attempts((("headrace.attempt", odd),)) <= 999_999_999


def test_a_message_that_never_failed_has_no_attempts_behind_it() -> None:
    assert prior_attempts((("other", b"3"),)) == 0


@given(texts, texts, st.integers(1, 4))
def test_the_reasons_always_fit_into_the_headroom(words: str, trace: str, power: int) -> None:
    long = FAILURE.__class__(
        code="HR501",
        error="E",
        kind="author",
        stage="s",
        plugin="p",
        message=words * 10**power,
        stacktrace=trace * 10**power,
    )
    dead = message(b"x" * 100, headers=(("mine", b"y"),))
    letter = buried(dead, long)
    grown = size_bytes(message(letter.value, key=letter.key, headers=letter.headers)) - size_bytes(dead)
    assert grown < HEADROOM_BYTES
    for _, value in letter.headers:
        (value or b"").decode()


def test_a_long_message_is_cut_between_characters() -> None:
    cut = dict(buried(message(), Failure(**{**_fields(), "message": "ä" * 5_000})).headers)["__streams.errors.message"]
    assert cut is not None
    assert cut.decode().endswith("ä...")
    assert len(cut) <= 4096


def _fields() -> dict[str, Any]:
    return {name: getattr(FAILURE, name) for name in FAILURE.__struct_fields__}


def test_of_a_letter_that_its_topic_refuses_the_reasons_are_kept() -> None:
    letter = buried(message(b"x" * 1000, headers=(("mine", b"y" * 1000),)))
    remains = stub(letter, "MessageSizeTooLargeError")
    assert (remains.topic, remains.key, remains.value, remains.timestamp_ms) == ("reviews.dead", b"ann", None, None)
    assert dict(remains.headers)["headrace.original_missing"] == b"MessageSizeTooLargeError"
    assert dict(remains.headers)["__streams.errors.offset"] == b"7"
    assert "mine" not in dict(remains.headers)


def test_a_key_too_large_for_a_stub_is_left_out() -> None:
    assert stub(buried(message(key=b"k" * 20_000)), "x").key is None


@pytest.mark.parametrize(
    ("error", "whose"),
    [
        (RecordError("x"), "publisher"),
        (PluginError("x"), "author"),
        (BrokerError("x"), "operator"),
        (ConfigError("x"), "user"),
        (MachineError("x"), "machine"),
        (ValueError("x"), "author"),
        (SystemExit(1), "author"),
    ],
)
def test_an_error_belongs_to_whoever_can_mend_it(error: BaseException, whose: str) -> None:
    assert failure_class(error) == whose
