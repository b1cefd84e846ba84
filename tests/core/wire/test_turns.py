"""What is kept of turns: it comes back as it was, whatever is in a record; what is none is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.record import Outgoing
from headrace.core.routing.roll import Call, key_digest
from headrace.core.routing.turn import Turns
from headrace.core.wire.errors import StateUnreadableError
from headrace.core.wire.frame import decode_frame, encode_call, records_in
from headrace.core.wire.state import Kept, StateReader
from headrace.core.wire.turns import TurnMessages, turn_messages
from tests.support.made import HERE, json_values, record, texts

numbers = st.integers(-(2**200), 2**200)
ANN = key_digest(b"ann")


def held(**fields: Any) -> Turns:
    turns = Turns()
    turns.call(Call(HERE.topic, HERE.partition, 5, -1, ((6, ANN), (7, ANN), (9, key_digest(b"bob")))))
    turns.take(record(source=HERE, key=b"ann", era=5, in_turn=True, **fields))
    return turns


def kept(messages: TurnMessages) -> Kept:
    reader = StateReader()
    for one in (*messages.rolls, *messages.held.values(), *messages.closing):
        reader.add(one.key, one.value)
    return reader.kept()


@given(st.dictionaries(texts, json_values | numbers, max_size=4), texts)
def test_what_waits_for_its_turn_comes_back_as_it_was(output: Any, text: str) -> None:
    turns = held(output=output, text=text)
    changes = turns.changes()
    found = kept(turn_messages(changes, "reviews.state.egress", 3)).turns
    assert list(found.held) == list(changes.held)
    assert found.rolls == changes.rolls
    assert found.marks == {"reviews": {5: (0, 10)}}


def test_the_messages_have_keys_that_no_join_has_and_go_to_the_partition() -> None:
    messages = turn_messages(held().changes(), "reviews.state.egress", 3)
    keys = [one.key for one in (*messages.rolls, *messages.held.values(), *messages.closing)]
    assert keys == [b"turn/roll/reviews:3:5:6", b"turn/held/reviews:3:7:5", b"turn/mark/reviews:3"]
    assert {one.partition for one in (*messages.rolls, *messages.closing)} == {3}


def test_what_has_left_is_forgotten_after_its_results_are_delivered() -> None:
    turns = held()
    first = turn_messages(turns.changes(), "state", 3)
    turns.take(record(source=HERE._replace(offset=6), key=b"ann", era=5, in_turn=True))
    second = turn_messages(turns.changes(), "state", 3)
    assert (second.rolls, second.held) == ([], {})
    assert [one.value is None for one in second.closing] == [False, True]
    together = TurnMessages([*first.rolls], first.held, [*first.closing, *second.closing])
    found = kept(together).turns
    assert [sorted(due) for due in found.rolls.values()] == [[9]]
    assert list(found.held) == []


def test_a_call_is_a_frame_of_its_own() -> None:
    call = Call("reviews", 3, 5, 2, ((6, ANN),))
    data = encode_call("plan", "ingress", call)
    frame = decode_frame(data)
    assert (frame.call, frame.records, records_in(data)) == (call, [], 1)


@pytest.mark.provokes("HR534")
@pytest.mark.parametrize(
    "value", [b"", b"HT", b"HT\x01", b"HT\x02\x80", b"HJ\x01\x80", b"HT\x01\xc1", b"HT\x01\x91\x01"]
)
@pytest.mark.parametrize("key", ["mark/reviews:3", "roll/reviews:3:5:6", "held/reviews:3:7:5", "roll/reviews", "odd"])
def test_what_is_no_state_is_refused(key: str, value: bytes) -> None:
    reader = StateReader()
    message = Outgoing("state", f"turn/{key}".encode(), value)
    reader.add(message.key, message.value)
    with pytest.raises(StateUnreadableError):
        reader.kept()
