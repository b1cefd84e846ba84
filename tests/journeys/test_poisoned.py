"""Records that a step fails on, and messages that a topic refuses: each ends once, and its neighbours arrive."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest

from headrace.core.wire.dead import HEADROOM_BYTES
from tests.journeys.conftest import MakePipeline, ending
from tests.support.client import Seen
from tests.support.pipeline import Pipeline

pytestmark = pytest.mark.broker

RETRIES = 2
INPUT_LIMIT = 1_048_588
IN_2100_MS = 4_102_444_800_000
TEXTS = ["calm", "raise", "bright", "exit", "fewer", "warm", "flaky 2", "panic", "soft"]


@pytest.fixture(scope="module")
def pipeline(make_pipeline: MakePipeline) -> Iterator[Pipeline]:
    with ending(make_pipeline("poisoned")) as made:
        made.client.make_topic(made.input, message_timestamp_after_max_ms=str(2**60))
        # Made by someone else, with the least that is needed: it takes no time that lies far ahead.
        made.client.make_topic(made.dead_topic, max_message_bytes=str(INPUT_LIMIT + HEADROOM_BYTES))
        made.client.make_topic(f"{made.name}.compacted", cleanup_policy="compact")
        made.write(
            preprocess=["fault", "odd"],
            output=[{"topic": {"name": made.output}}, {"topic": {"name": f"{made.name}.compacted"}}],
            delivery={"retries": RETRIES},
        )
        made.run()
        yield made


@pytest.fixture(scope="module")
def ended(pipeline: Pipeline) -> tuple[list[Seen], list[Seen]]:
    pipeline.publish(*TEXTS, key=b"ann")
    return pipeline.ended()


def test_the_neighbours_of_poisoned_records_arrive_in_order(ended: tuple[list[Seen], list[Seen]]) -> None:
    results, _ = ended
    assert [seen.body["output"]["text"] for seen in results] == ["calm", "bright", "warm", "flaky 2", "soft"]


def test_a_poisoned_record_is_tried_as_often_as_the_file_says_and_then_a_dead_letter(
    ended: tuple[list[Seen], list[Seen]],
) -> None:
    _, dead = ended
    reasons = {
        letter.body["text"]: tuple(
            letter.header(f"headrace.{name}") for name in ("code", "class", "stage", "plugin", "attempt")
        )
        for letter in dead
    }
    tried = str(1 + RETRIES)
    assert reasons == {
        "raise": ("HR501", "author", "ingress", "fault", tried),
        "exit": ("HR501", "author", "ingress", "fault", tried),
        "panic": ("HR501", "author", "ingress", "fault", tried),
        "fewer": ("HR603", "author", "ingress", "odd", tried),
    }
    assert "ValueError: it hurts" in dead[0].header("__streams.errors.stacktrace")


def test_a_step_that_failed_twice_and_then_worked_gives_attempt_three(
    ended: tuple[list[Seen], list[Seen]], pipeline: Pipeline
) -> None:
    (position,) = pipeline.publish("flaky 2 alone", key=b"ann")
    results, _ = pipeline.ended()
    (found,) = [seen.body for seen in results if seen.body["id"] == position]
    assert found["attempt"] == 3
    assert {seen.body["attempt"] for seen in results if seen.body["output"]["text"] in ("calm", "bright")} == {1}


def test_a_plugin_that_exits_or_panics_does_not_take_the_worker_along(
    ended: tuple[list[Seen], list[Seen]], pipeline: Pipeline
) -> None:
    (worker,) = pipeline.workers
    assert worker.process.poll() is None
    assert worker.get("readyz")[0] == 200
    assert worker.get("healthz") == (200, '{"alive": true}')


@pytest.mark.provokes("HR517")
def test_a_result_without_a_key_is_no_message_for_a_compacted_topic(pipeline: Pipeline) -> None:
    (position,) = pipeline.publish("no key")
    results, dead = pipeline.ended()
    assert position in [seen.body["id"] for seen in results]
    assert position not in [seen.body["id"] for seen in pipeline.client.all(f"{pipeline.name}.compacted")]
    (letter,) = [seen for seen in dead if seen.body == {"text": "no key"}]
    assert letter.header("headrace.code") == "HR517"
    assert letter.header("headrace.output") == f"{pipeline.name}.compacted"
    assert "is compacted and takes no message without a key" in letter.header("__streams.errors.message")


def stub_of(pipeline: Pipeline, position: str) -> Seen:
    _, dead = pipeline.ended()
    (found,) = [one for one in dead if dict(one.headers)["__streams.errors.offset"] == position.split(":")[2].encode()]
    return found


def test_of_a_message_that_we_cannot_pack_as_well_as_its_publisher_the_reasons_are_kept(pipeline: Pipeline) -> None:
    far_apart = random.Random(1).randbytes(200_000).hex()  # zstd sees repetitions 400 kB apart, gzip does not
    large = {"value": json.dumps({"text": far_apart * 12}), "key": b"ann", "headers": [("mine", b"x")]}
    settings = {"compression.type": "zstd", "message.max.bytes": 20_000_000}
    (position,) = pipeline.client.publish(pipeline.input, large, **settings)
    remains = stub_of(pipeline, position)
    assert (remains.key, remains.value) == (b"ann", None)
    assert remains.header("headrace.original_missing") == "MessageSizeTooLargeError"
    assert remains.header("headrace.code") == "HR503"
    assert "mine" not in dict(remains.headers)


def test_of_a_message_from_a_time_that_the_dead_letter_topic_does_not_take_the_reasons_are_kept(
    pipeline: Pipeline,
) -> None:
    (position,) = pipeline.client.publish(pipeline.input, {"value": None, "timestamp": IN_2100_MS})
    remains = stub_of(pipeline, position)
    assert remains.header("headrace.original_missing") == "InvalidTimestampError"
    assert (remains.header("headrace.code"), remains.key, remains.value) == ("HR502", None, None)
    assert remains.timestamp_ms < IN_2100_MS
