"""Dead letters that are redriven: mended ones arrive as the record they were, others come back and say how often."""

from __future__ import annotations

import json

import pytest

from tests.support.pipeline import Pipeline

pytestmark = pytest.mark.broker


def test_a_redriven_record_arrives_under_its_own_id_and_one_that_fails_again_says_how_often(pipeline: Pipeline) -> None:
    pipeline.write(preprocess=["fault"], delivery={"retries": 1})
    pipeline.run()
    # The step fails on it twice, as often as it is tried: it dies of that, and passes the next time.
    (mended,) = pipeline.publish("flaky 2", key=b"ann")
    pipeline.dead_letters(1)
    (broken,) = pipeline.publish("raise", key=b"ann")
    pipeline.dead_letters(2)
    for times in (1, 2):
        said = json.loads(pipeline.headrace("dlq", "redrive", str(pipeline.file), "--yes", "--json"))
        assert (said["redriven"], said["done"]) == (2 if times == 1 else 1, True)
        pipeline.dead_letters(2 + times)
    dead = pipeline.dead_letters(4)
    (result,) = [seen.body for seen in pipeline.outputs(1)]
    assert (result["id"], result["key"], result["output"]["text"]) == (mended, "ann", "flaky 2")
    letters = [seen for seen in dead if seen.body["text"] == "raise"]
    assert [seen.header("headrace.attempt") for seen in letters] == ["2", "4", "6"]
    assert [dict(seen.headers).get("headrace.redriven") for seen in letters] == [None, b"1", b"2"]
    listed = [json.loads(line) for line in pipeline.headrace("dlq", "list", str(pipeline.file), "--json").splitlines()]
    again = [one for one in listed if one["id"] == broken]
    assert sorted((one["redriven"], one["attempt"], one["redriven_at"] is not None) for one in again) == [
        (0, 2, True),
        (1, 4, True),
        (2, 6, False),
    ]


def test_what_one_output_refused_goes_to_that_output_alone_once_it_takes_it(pipeline: Pipeline) -> None:
    small = f"{pipeline.name}.small"
    pipeline.client.make_topic(small, max_message_bytes="1500")
    pipeline.write(output=[{"topic": {"name": pipeline.output}}, {"topic": {"name": small}}])
    pipeline.run()
    (position,) = pipeline.publish("big 2000")
    (letter,) = pipeline.dead_letters(1)
    assert letter.header("headrace.output") == small
    pipeline.client.configure(small, max_message_bytes="100000")
    pipeline.headrace("dlq", "redrive", str(pipeline.file), "--yes")
    (late,) = pipeline.outputs(1, small)
    assert late.body["id"] == position
    pipeline.publish("the next one")  # once it is through, so is all before it
    assert [seen.body["id"] for seen in pipeline.outputs(2)].count(position) == 1
    assert [seen.body["id"] for seen in pipeline.outputs(2, small)].count(position) == 1
    assert not [name for name, _ in late.headers if name.startswith("headrace.")]
