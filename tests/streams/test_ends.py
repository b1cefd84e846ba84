"""What is written for a sink that says what it writes: the messages that the sink itself would return."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.record import Record
from headrace.core.step import Result
from headrace.core.wire.result import ResultFacts, Spent
from headrace.plugins.sinks.topic import Topic, TopicOptions
from headrace.streams.ends import Ends
from headrace.streams.slot import Slot
from tests.support.made import NOON_MS, headers, record
from tests.support.results import records

FACTS, SPENT = ResultFacts("reviews", "abc"), Spent(NOON_MS, NOON_MS + 5.25, 1.0, 2.0)


@given(st.lists(st.tuples(records, headers), max_size=4), st.sampled_from(("input", "unit")))
def test_a_topic_gets_what_its_sink_would_send(given_: list[tuple[Record, Any]], key: Any) -> None:
    slots = [Slot(None, one.replace(headers=its)) for one, its in given_]
    ends = Ends(slots, FACTS, SPENT, is_as_said=True)
    sink = Topic(TopicOptions(name="scored", key=key))
    results = [Result(slot.record, ends.bodies[id(slot)]) for slot in slots if slot.record is not None]
    assert ends.messages(slots, sink.plain) == sink.outgoing(results)


@pytest.mark.parametrize("is_as_said", [True, False])
def test_what_a_model_said_is_used_only_while_it_stands(is_as_said: bool) -> None:
    output: dict[str, Any] = {"label": "good"}
    slots = [Slot(None, record(output=output)), Slot(None, record(output={"label": "changed"}))]
    for slot in slots:
        slot.said = output, b'{"kept":1}'
    ends = Ends(slots, FACTS, SPENT, is_as_said=is_as_said)
    values = [message.value or b"" for message in ends.messages(slots, Topic(TopicOptions(name="t")).plain)]
    assert [b'{"kept":1}' in value for value in values] == [is_as_said, False]
    assert b'"changed"' in values[1]


def test_records_that_failed_at_the_last_moment_have_no_result_and_are_not_told_of() -> None:
    slots = [Slot(None, record()), Slot(None, record(status="expired", timestamp_ms=NOON_MS + 3))]
    failed = Slot(None, record())
    failed.record = None
    ends = Ends([slots[0], failed, slots[1]], FACTS, SPENT, is_as_said=True)
    assert set(ends.bodies) == {id(slot) for slot in slots}
    assert ends.told(None) == (["ok", "expired"], [0.00525, 0.00225])
    assert ends.told({id(slots[1])}) == (["expired"], [0.00225])
