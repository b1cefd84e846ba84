"""What cannot work is refused at start: one line with code and mend, exit 1, within seconds, never a traceback."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.client import until
from tests.support.pipeline import Pipeline

pytestmark = pytest.mark.broker

LIMIT = 1_048_588  # Kafka's default for max.message.bytes


def refused(pipeline: Pipeline, *args: str) -> str:
    """Run, and return the one line with which it ends."""
    worker = pipeline.start(*args)
    assert worker.end() == 1, worker.lines
    errors = [event for event in worker.events if event["level"] != "info"]  # one that is not JSON fails
    assert len(errors) == 1, worker.lines
    return str(errors[0]["message"])


@pytest.mark.provokes("HR201")
@pytest.mark.parametrize("address", ["no-such-host.invalid:9092", "::::"])
def test_a_broker_that_does_not_answer_is_said_at_once(pipeline: Pipeline, address: str) -> None:
    pipeline.write(broker={"bootstrap": address})
    assert re.fullmatch(
        rf"HR201 no Kafka broker answers at {re.escape(address)} .*; start it, or .*", refused(pipeline)
    )


@pytest.mark.provokes("HR211")
def test_a_missing_topic_is_not_made_against_the_file_s_word(pipeline: Pipeline) -> None:
    pipeline.write(topics={"create": False})
    line = refused(pipeline)
    assert f"HR211 no topic '{pipeline.input}'" in line
    assert pipeline.client.partitions(pipeline.input) == 0


@pytest.mark.provokes("HR212")
def test_a_topic_with_other_partitions_than_the_file_says_is_refused_at_its_place(pipeline: Pipeline) -> None:
    pipeline.client.make_topic(pipeline.input, 3)
    pipeline.write(topics={"partitions": 2})
    line = refused(pipeline)
    assert line.startswith(f"{pipeline.file}:")
    assert "HR212" in line
    assert "has 3 partitions, the plan says 2; write partitions: 3, or leave it out" in line


@pytest.mark.provokes("HR213")
def test_more_replicas_than_brokers_are_refused_with_the_broker_s_reason(pipeline: Pipeline) -> None:
    pipeline.write(topics={"replication": 3})
    assert re.match(r"HR213 the broker refuses to make topic .*replication factor", refused(pipeline), re.IGNORECASE)


@pytest.mark.provokes("HR214")
def test_a_dead_letter_topic_that_takes_too_little_is_refused(pipeline: Pipeline) -> None:
    pipeline.client.make_topic(pipeline.dead_topic, 1, max_message_bytes="2000")
    line = refused(pipeline)
    assert f"HR214 topic '{pipeline.dead_topic}' takes 2,000 bytes" in line
    assert f"set its max.message.bytes to {LIMIT + 64 * 1024}" in line


@pytest.mark.parametrize(("start", "first"), [("earliest", 0), ("latest", 5), ("2020-01-01T00:00:00Z", 0)])
def test_a_pipeline_that_never_ran_begins_where_the_file_says(pipeline: Pipeline, start: str, first: int) -> None:
    pipeline.client.make_topic(pipeline.input)
    pipeline.publish(*(f"text {at}" for at in range(5)))
    pipeline.write(input={"topic": pipeline.input, "text": "text", "start": start})
    pipeline.run()
    # The choice is committed at once: `latest` would mean another place after a crash.
    until("the commit", lambda: pipeline.client.committed(pipeline.group, pipeline.input).get(0, -1) >= first)
    pipeline.publish("one more")
    assert [seen.body["source"]["offset"] for seen in pipeline.outputs(6 - first)] == list(range(first, 6))


@pytest.mark.provokes("HR517")
def test_a_result_without_a_key_for_a_compacted_topic_is_a_dead_letter_for_that_output(pipeline: Pipeline) -> None:
    pipeline.client.make_topic(pipeline.output, 1, cleanup_policy="compact")
    outputs: list[Any] = [{"topic": {"name": pipeline.output}}, {"topic": {"name": f"{pipeline.name}.all"}}]
    pipeline.write(output=outputs)
    pipeline.run()
    pipeline.publish("no key")
    pipeline.publish("a key", key=b"k")
    letter = pipeline.dead_letters(1)[0]
    assert (letter.header("headrace.code"), letter.header("headrace.output")) == ("HR517", pipeline.output)
    assert [seen.key for seen in pipeline.outputs(1)] == [b"k"]
    assert len(pipeline.outputs(2, f"{pipeline.name}.all")) == 2
