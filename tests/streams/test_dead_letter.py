"""Dead letters of records whose message is at hand, was read again, or has expired."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headrace.core.record import Message, Outgoing, Position
from headrace.core.wire.dead import Failure
from headrace.core.wire.errors import ResultTooLargeError
from headrace.streams.dead_letter import DeadLetters
from headrace.streams.slot import Slot
from tests.support.made import HERE, message, record
from tests.support.planned import compiled

FAILURE = Failure(code="HR501", error="E", kind="author", message="m", stage="expert", plugin="onnx")


class Topic:
    """The input, as far as it is still there."""

    def __init__(self, kept: Message | None) -> None:
        self.kept = kept
        self.asked: list[Position] = []

    async def read(self, position: Position) -> Message | None:
        self.asked.append(position)
        return self.kept


async def written(folder: Path, slot: Slot, topic: Topic) -> Outgoing:
    return await DeadLetters(compiled(folder), "expert", topic.read).letter(slot, FAILURE)


def headers(letter: Outgoing) -> dict[str, bytes | None]:
    return dict(letter.headers)


async def test_a_message_that_is_at_hand_is_not_read_again(tmp_path: Path) -> None:
    topic = Topic(None)
    letter = await written(tmp_path, Slot(message(b"{", headers=(("a", b"1"),))), topic)
    assert (letter.topic, letter.key, letter.value, topic.asked) == ("reviews.dead", b"ann", b"{", [])
    assert headers(letter)["a"] == b"1"
    assert "headrace.original_missing" not in headers(letter)


async def test_a_record_that_failed_behind_a_link_is_buried_as_its_message_was(tmp_path: Path) -> None:
    topic = Topic(message(b'{"text":  "as it was"}', headers=(("a", b"1"),)))
    slot = Slot(None, record("changed", value={"text": "changed"}))
    slot.fail(FAILURE)
    letter = await written(tmp_path, slot, topic)
    assert (letter.value, headers(letter)["a"], topic.asked) == (b'{"text":  "as it was"}', b"1", [HERE])
    assert headers(letter)["__streams.errors.offset"] == str(HERE.offset).encode()
    assert headers(letter)["headrace.stage"] == b"expert"
    assert "headrace.original_missing" not in headers(letter)


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ({"text": "a"}, b'{"text":"a"}'),
        ("plain", b"plain"),
        ("half \ud83d", b"half ?"),
        (None, b"null"),
        (object(), None),
    ],
    ids=["object", "text", "lone surrogate", "null", "nothing that can be written"],
)
@pytest.mark.parametrize("has_failed", [True, False])
async def test_a_record_whose_message_has_expired_is_buried_as_it_was_decoded(
    tmp_path: Path, value: Any, left: bytes | None, has_failed: bool
) -> None:
    slot = Slot(None, record("t", value=value, key=b"k", headers=(("a", None),)))
    if has_failed:
        slot.fail(FAILURE)
    letter = await written(tmp_path, slot, Topic(None))
    assert (letter.key, letter.value, headers(letter)["a"]) == (b"k", left, None)
    assert headers(letter)["headrace.original_missing"] == b"expired"
    assert headers(letter)["headrace.code"] == b"HR501"


async def test_of_a_record_that_nobody_knows_any_more_the_position_is_left(tmp_path: Path) -> None:
    letter = await written(tmp_path, Slot(None, None, HERE), Topic(None))
    assert (letter.key, letter.value) == (None, None)
    assert headers(letter)["__streams.errors.topic"] == HERE.topic.encode()


def test_what_a_topic_refuses_is_egress_s_and_what_a_link_refuses_is_the_sender_s(tmp_path: Path) -> None:
    letters = DeadLetters(compiled(tmp_path), "expert.1", Topic(None).read)
    result = letters.refused("reviews.out", ResultTooLargeError("too large"))
    assert (result.stage, result.plugin, result.output, result.code) == ("egress", "topic", "reviews.out", "HR509")
    frame = letters.refused("link", ResultTooLargeError("too large"))
    assert (frame.stage, frame.plugin, frame.output) == ("expert.1", "link", "")


async def test_raw_tensors_whose_message_has_expired_are_buried_as_the_bytes_that_they_were(tmp_path: Path) -> None:
    one, two = np.arange(3, dtype="<f4"), np.array([True, False])
    slot = Slot(None, record("", value=None, tensors={"b": one, "a": two}))
    letter = await written(tmp_path, slot, Topic(None))
    assert letter.value == one.tobytes() + b"\x01\x00"
