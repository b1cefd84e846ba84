"""`slow: retry_topic`: a record whose error may pass waits aside, is tried again as it came, and others overtake it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import until
from tests.support.pipeline import Pipeline

pytestmark = pytest.mark.broker

WAITS = {"slow": "retry_topic", "retries": 1, "retry_after": "1s"}
APART = {"apart": {"models": ["echo"]}}


@pytest.mark.parametrize(
    ("guarantee", "groups"),
    [("at_least_once", None), ("exactly_once", None), ("at_least_once", APART), ("exactly_once", APART)],
    ids=["one process", "one process, once", "two", "two, once"],
)
def test_a_record_waits_aside_until_what_ails_it_has_passed(
    pipeline: Pipeline, tmp_path: Path, guarantee: str, groups: Any
) -> None:
    back = tmp_path / "back"
    pipeline.write(
        preprocess=["fault"] if groups else [{"needs": {"file": str(back)}}, "fault"],
        models={"echo": {"echo": {"needs": str(back)} if groups else {}}},
        delivery={**WAITS, "guarantee": guarantee},
        topics={"partitions": 2},
        groups=groups,
    )
    workers = pipeline.run_groups("main", "apart") if groups else {"main": pipeline.run()}
    failing = "calm" if groups else "needs it"
    if not groups:
        pipeline.publish("first", "second", partition=0)
    (waiting,) = pipeline.publish(failing, key=b"ann", partition=0)
    (bad,) = pipeline.publish("raise", partition=0)
    if not groups:
        pipeline.publish("last", partition=0)
        assert {seen.body["output"]["text"] for seen in pipeline.outputs(3)} == {"first", "second", "last"}
    (letter,) = pipeline.dead_letters(1)
    assert letter.body["text"] == "raise", "what does not pass by itself is not waited for"
    aside = f"{pipeline.name}.retry.ingress"
    until("a second round", lambda: any(int(one.header("headrace.attempt")) > 2 for one in pipeline.client.all(aside)))
    until("the first one to be committed", lambda: pipeline.client.committed(pipeline.group, pipeline.input)[0] >= 2)
    assert pipeline.headrace("status", str(pipeline.file)).count("ingress.retry") >= 1

    back.touch()
    count = 1 if groups else 4
    (seen,) = (seen for seen in pipeline.outputs(count) if seen.body["id"] == waiting)
    assert seen.key == b"ann"
    assert seen.body["source"] == {"topic": pipeline.input, "partition": 0, "offset": int(waiting.split(":")[2])}
    assert seen.body["attempt"] >= 1
    results, dead = pipeline.ended()
    assert (len(results), [one.body["text"] for one in dead]) == (count, ["raise"])
    assert bad in {f"{pipeline.input}:0:{letter.header('__streams.errors.offset')}"}
    for worker in workers.values():
        worker.terminate()
    assert pipeline.client.all(pipeline.output) == results


@pytest.mark.parametrize("groups", [None, APART], ids=["one process", "two"])
def test_a_parallel_route_answers_without_a_model_that_is_away_and_waits_aside_when_all_are(
    pipeline: Pipeline, tmp_path: Path, groups: Any
) -> None:
    away, back = tmp_path / "away", tmp_path / "back"
    pipeline.write(
        models={"echo": {"echo": {"needs": str(away)}}, "other": {"echo": {"needs": str(back)}}},
        route={"parallel": {"models": ["echo", "other"], "join": "best", "quorum": 2, "deadline": "20s"}},
        delivery={**WAITS, "guarantee": "exactly_once"},
        groups=groups,
    )
    if groups:
        pipeline.run_groups("main", "apart")
    else:
        pipeline.run()
    (first,) = pipeline.publish("both are away")
    aside = f"{pipeline.name}.retry.ingress"
    waiting = pipeline.client.first(aside, 1)[0]  # it may have gone round once more since
    assert waiting.header("headrace.retry.source") == first
    back.touch()
    pipeline.publish("one is away")
    results, dead = pipeline.ended()
    assert sorted(one.body["output"]["text"] for one in results) == ["both are away", "one is away"]
    assert {tuple(one.body["route"]["path"]) for one in results} == {("other",)}
    assert dead == []


def test_patience_ends_for_what_waits_aside_and_says_how_often_it_was_tried(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.write(
        preprocess=[{"needs": {"file": str(tmp_path / "never")}}],
        delivery={**WAITS, "retries": 0, "patience": "6s"},
    )
    pipeline.run()
    began = time.monotonic()
    (late,) = pipeline.publish("needs it")
    pipeline.publish("after it")
    assert [seen.body["output"]["text"] for seen in pipeline.outputs(1)] == ["after it"]
    (letter,) = pipeline.dead_letters(1)
    assert time.monotonic() - began >= 6
    assert letter.value == b'{"text": "needs it"}'
    assert int(letter.header("headrace.attempt")) >= 3
    offset = letter.header("__streams.errors.offset")
    assert f"{letter.header('__streams.errors.topic')}:0:{offset}" == late
    assert not [name for name, _ in letter.headers if name.startswith("headrace.retry")]


def test_only_the_output_that_could_not_take_a_result_gets_it_later(pipeline: Pipeline, tmp_path: Path) -> None:
    back, crate = tmp_path / "back", f"{pipeline.name}.crate"
    pipeline.write(
        output=[{"topic": {"name": pipeline.output}}, {"crate": {"name": crate, "needs": str(back)}}], delivery=WAITS
    )
    pipeline.run()
    pipeline.publish("calm")
    pipeline.outputs(1)
    until("a record that waits", lambda: pipeline.client.all(f"{pipeline.name}.retry.ingress"))
    back.touch()
    assert [seen.value for seen in pipeline.outputs(1, crate)] == [b"calm"]
    results, dead = pipeline.ended()
    assert (len(results), dead) == (1, [])


def test_what_waits_is_tried_again_also_when_the_file_no_longer_lets_records_wait(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    back = tmp_path / "back"
    pipeline.write(preprocess=[{"needs": {"file": str(back)}}], delivery={**WAITS, "retry_after": "4s"})
    worker = pipeline.run()
    pipeline.publish("needs it")
    aside = f"{pipeline.name}.retry.ingress"
    until("a record that waits", lambda: pipeline.client.all(aside))
    worker.terminate()
    back.touch()
    pipeline.write(preprocess=[{"needs": {"file": str(back)}}])
    pipeline.run()
    assert [seen.body["output"]["text"] for seen in pipeline.outputs(1)] == ["needs it"]
