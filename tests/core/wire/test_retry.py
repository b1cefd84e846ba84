"""Messages that wait to be tried again: they come back as they were, at their own place."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headrace.core.failure import Failure
from headrace.core.record import Message, Outgoing, Position
from headrace.core.wire.dead import prior_attempts
from headrace.core.wire.incoming import size_bytes
from headrace.core.wire.redriven import redriven
from headrace.core.wire.retry import due_ms, retry_message, tried_since_ms, waited
from tests.support.made import headers, keys, message

TOPIC = "reviews.retry.ingress"
SAID: dict[str, Any] = {"error": "E", "kind": "operator", "message": "away", "stage": "s", "plugin": "p"}


def waiting(original: Message, output: str = "", since_ms: int = 1000, attempts: int = 4) -> Outgoing:
    failure = Failure(code="HR501", output=output, **SAID)
    return retry_message(original, failure, topic=TOPIC, since_ms=since_ms, due_ms=since_ms + 500, attempts=attempts)


def lying(sent: Outgoing, offset: int = 3) -> Message:
    return Message(Position(TOPIC, sent.partition or 0, offset), sent.key, sent.value, sent.headers, 99)


@given(keys, st.binary(max_size=60), headers, st.integers(-1, 2**50), st.integers(0, 2**60))
def test_a_message_comes_back_as_it_was(
    key: bytes | None, value: bytes, own: tuple[tuple[str, bytes | None], ...], at_ms: int, offset: int
) -> None:
    place = Position("a:b.c", 7, offset)  # no topic has a colon, and none would do harm
    original = Message(place, key, value, own, at_ms)
    back = waited(lying(waiting(original)))
    assert (back.position, back.key, back.value, back.timestamp_ms) == (place, key, value, at_ms)
    assert back.headers[: len(own)] == own


def test_it_knows_how_long_and_how_often_it_was_tried_and_when_it_is_due() -> None:
    sent = waiting(message(headers=(("a", b"1"),)))
    assert (due_ms(sent.headers), sent.partition, sent.timestamp_ms) == (1500, 3, None)
    back = waited(lying(sent))
    assert (tried_since_ms(back.headers), prior_attempts(back.headers)) == (1000, 4)
    again = waiting(back, since_ms=1000, attempts=8)
    assert [name for name, _ in again.headers].count("headrace.attempt") == 1
    assert prior_attempts(waited(lying(again)).headers) == 8


def test_for_one_output_it_is_tried_again_for_that_alone() -> None:
    back = waited(lying(waiting(message(), output="scored")))
    assert redriven(back.headers, "x").only_output == "scored"
    assert redriven(waited(lying(waiting(back))).headers, "x").only_output == "scored", "also when it fails before"


def test_what_it_has_behind_it_makes_no_message_too_large() -> None:
    original = message(b"{}", headers=(("a", b"1"),))
    assert size_bytes(waited(lying(waiting(original, output="scored")))) == size_bytes(original) == 7


def test_what_somebody_else_wrote_there_is_taken_as_it_lies() -> None:
    for said in ((), (("headrace.retry.source", b"reviews:0"),), (("headrace.retry.source", b"a:b:c"),)):
        found = message(headers=said)
        assert waited(found) is found
    assert due_ms((("headrace.retry.due", b"soon"),)) == 0
    assert tried_since_ms(()) is None
