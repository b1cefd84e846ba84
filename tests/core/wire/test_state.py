"""What is kept of joins: it comes back as it was, whatever models and publishers put in; what is none is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.record import Outgoing
from headrace.core.routing.ended import Ended
from headrace.core.routing.waiting import Joins
from headrace.core.wire.errors import StateUnreadableError
from headrace.core.wire.kept import state_topic
from headrace.core.wire.state import Kept, StateReader, state_messages
from tests.support.made import HERE, json_values, texts
from tests.support.parts import answered, asked, broken, parallel

numbers = st.integers(-(2**200), 2**200)
outputs = st.dictionaries(texts, json_values | numbers, max_size=4)


def read(*messages: Outgoing) -> StateReader:
    reader = StateReader()
    for message in messages:
        reader.add(message.key, message.value)
    return reader


@given(outputs, texts, json_values, st.none() | st.floats(1, 1e9))
def test_what_waits_comes_back_as_it_was(output: Any, text: str, value: Any, deadline_ms: float | None) -> None:
    joins = Joins()
    first, second, _ = asked(parallel("first", quorum=None, deadline_ms=deadline_ms), value=value, era=7)
    slow = asked(parallel("vote", deadline_ms=deadline_ms), value=value, era=7)
    joins.take(broken(first.replace(text=text)), 0)
    joins.take(broken(second), 0)
    joins.take(answered(slow[0], {**output, "label": "x"}), 0)
    changes = joins.changes()
    kept = read(*state_messages(changes, "state", 3).waiting.values()).kept()
    assert kept.waiting == [one_as_kept(one) for one in changes.waiting]


def one_as_kept(waiting: Any) -> Any:
    import msgspec

    return msgspec.structs.replace(waiting, record=waiting.record.replace(output=None))


def test_the_messages_have_the_record_s_key_and_partition() -> None:
    joins = Joins()
    joins.take(broken(asked(parallel())[0]), 0)
    ((position, message),) = state_messages(joins.changes(), "reviews.state.egress", 3).waiting.items()
    assert position == HERE
    assert (message.topic, message.key, message.partition) == ("reviews.state.egress", str(HERE).encode(), 3)
    assert state_topic("reviews") == "reviews.state.egress"


def test_what_ended_comes_back_and_what_is_gone_is_gone() -> None:
    joins = Joins()
    copies = asked(parallel(models=("a", "b")))
    joins.take(answered(copies[0], {"label": "x"}), 0)
    first = state_messages(joins.changes(), "state", 3)
    joins.take(answered(copies[1], {"label": "x"}), 0)
    last = state_messages(joins.changes(), "state", 3)
    assert [message.value is None for message in last.closing] == [False, True]
    kept = read(*first.waiting.values(), *last.closing).kept()
    assert not kept.waiting
    assert kept.ended[HERE.topic].runs == [(HERE.offset, HERE.offset + 1, 1)]
    assert isinstance(kept.ended[HERE.topic], Ended)


def test_what_a_stopped_owner_writes_after_its_successor_takes_nothing_back() -> None:
    joins = Joins()
    written = []
    for offset in (1, 2, 3):
        for copy in asked(parallel(models=("a", "b")), offset):
            joins.take(answered(copy, {"label": "x"}), 0)
        written += state_messages(joins.changes(), "state", 3).closing
    kept = read(*written, written[0]).kept()
    assert kept.ended[HERE.topic].runs == [(1, 4, 1)]


def test_a_message_without_a_key_is_passed_over() -> None:
    assert read(Outgoing("state", None, b"x")).kept() == Kept({}, [])


@pytest.mark.provokes("HR534")
@pytest.mark.parametrize("key", [b"reviews:3:7", b"reviews:3"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"", "is no state"),
        (b"rubbish", "is no state"),
        (b"HJ\x02x", "has format 2; this is 1"),
        (b"HJ\x01\xc1", "damaged"),
    ],
)
def test_what_is_no_state_is_refused(key: bytes, value: bytes, said: str) -> None:
    with pytest.raises(StateUnreadableError, match=said):
        read(Outgoing("state", key, value)).kept()
