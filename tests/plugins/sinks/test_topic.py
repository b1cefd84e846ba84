"""The sink `topic`: one message a result, as the message contract has it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from headrace import Record, Result
from headrace.core.wire.cloudevents import result_headers
from headrace.plugins.sinks.topic import Topic, TopicOptions

MakeRecord = Callable[..., Record]


def body(**fields: Any) -> dict[str, Any]:
    return {"id": "reviews:0:7", "pipeline": "reviews", "time": "2026-11-23T20:00:00.000Z", **fields}


def test_each_result_becomes_one_message_in_order(record: MakeRecord) -> None:
    results = [Result(record(id=str(number), key=b"ann"), body(id=str(number))) for number in range(3)]
    messages = Topic(TopicOptions(name="reviews.scored")).outgoing(results)
    assert [json.loads(message.value or b"") for message in messages] == [result.body for result in results]
    assert {(message.topic, message.key, message.partition) for message in messages} == {
        ("reviews.scored", b"ann", None)
    }


def test_the_headers_are_those_of_a_result_of_this_output(record: MakeRecord) -> None:
    result = Result(record(headers=(("tenant", b"7"),)), body())
    one, other = (Topic(TopicOptions(name=name)).outgoing([result])[0] for name in ("scored", "alerts"))
    # The trace is left out: it is made at random when none came in.
    facts = [{name: value for name, value in message.headers if name != "traceparent"} for message in (one, other)]
    expected = dict(result_headers(*result, output="scored"))
    assert facts[0] == {name: value for name, value in expected.items() if name != "traceparent"}
    assert facts[0]["tenant"] == b"7"
    assert facts[0]["ce_id"] != facts[1]["ce_id"]


@pytest.mark.parametrize("key", [None, b"", b"ann", b"\xff\xfe"])
def test_the_key_is_that_of_the_message_byte_for_byte(record: MakeRecord, key: bytes | None) -> None:
    assert Topic(TopicOptions(name="scored")).outgoing([Result(record(key=key), body())])[0].key == key


@pytest.mark.parametrize(("unit", "key"), [("ann", b"ann"), (None, None), ("\ud83d", b"?")])
def test_the_key_can_be_the_unit(record: MakeRecord, unit: str | None, key: bytes | None) -> None:
    sink = Topic(TopicOptions(name="scored", key="unit"))
    assert sink.outgoing([Result(record(key=b"other", unit=unit), body())])[0].key == key


def test_a_text_with_a_lone_surrogate_is_written(record: MakeRecord) -> None:
    message = Topic(TopicOptions(name="scored")).outgoing([Result(record(), body(unit="\ud83d"))])[0]
    assert json.loads(message.value or b"")["unit"] == "\ud83d"


def test_it_names_its_topic_for_the_plan() -> None:
    assert Topic(TopicOptions(name="reviews.scored")).topics() == ("reviews.scored",)


def test_editors_learn_from_the_schema_which_names_kafka_takes() -> None:
    assert TopicOptions.model_json_schema()["properties"]["name"]["pattern"] == "^[a-zA-Z0-9._-]{1,249}$"
