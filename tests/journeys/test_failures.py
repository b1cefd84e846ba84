"""What the file says of records that fail: the fallback, a stop, a pause, a quarantine, a deadline."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import until
from tests.support.pipeline import Pipeline

pytestmark = pytest.mark.broker

FALLBACK = {"on_failure": "fallback", "fallback": {"label": "unknown", "score": 0}, "retries": 1}

GUARANTEES = pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])


def status(pipeline: Pipeline) -> Any:
    return json.loads(pipeline.headrace("status", str(pipeline.file), "--json"))


@pytest.mark.parametrize("groups", [None, {"apart": {"models": ["echo"]}}], ids=["one process", "two"])
def test_a_record_that_fails_gets_the_fallback_as_its_result(pipeline: Pipeline, groups: Any) -> None:
    pipeline.write(preprocess=["fault"], delivery=FALLBACK, groups=groups)
    if groups:
        pipeline.run_groups("main", "apart")
    else:
        pipeline.run()
    pipeline.publish("calm", "raise", "thing", "bright", key=b"ann")
    pipeline.client.publish(pipeline.input, {"value": b"no JSON"})
    results = {seen.body["id"].rpartition(":")[2]: seen.body for seen in pipeline.outputs(4)}
    (letter,) = pipeline.dead_letters(1)
    assert [results[at]["status"] for at in "0123"] == ["ok", "fallback", "fallback", "ok"]
    assert [results[at]["output"]["label"] for at in "0123"] == ["calm", "unknown", "unknown", "bright"]
    failures = [results[at]["failure"] for at in "12"]
    assert [(one["code"], one["stage"], one["plugin"]) for one in failures] == [
        ("HR501", "ingress", "fault"),
        ("HR605", "echo", "echo"),
    ]
    assert "ValueError: it hurts" in results["1"]["reason"]
    assert letter.value == b"no JSON", "what cannot be read has no record that could be answered"
    if not groups:
        assert pipeline.workers[0].figure("headrace_records_total", status="fallback") == 2


@GUARANTEES
@pytest.mark.provokes("HR234")
def test_a_worker_that_is_to_stop_at_a_failure_says_how_to_go_on_and_does(pipeline: Pipeline, guarantee: str) -> None:
    pipeline.write(preprocess=["fault"], delivery={"on_failure": "stop", "retries": 0, "guarantee": guarantee})
    worker = pipeline.run()
    (_, bad, _) = pipeline.publish("calm", "raise", "bright", key=b"ann")
    assert worker.end() == 1
    last = worker.events[-1]
    said = last["message"]
    assert (last["level"], last["code"]) == ("error", "HR234")
    assert f"stopped at record {bad} failed at ingress: HR501 " in said
    way = f"headrace skip {pipeline.file} --stage ingress --partition 0"
    assert said.endswith(f"pass over it: `{way}`")
    assert pipeline.client.committed(pipeline.group, pipeline.input) == {0: 1}
    assert [seen.body["output"]["text"] for seen in pipeline.client.all(pipeline.output)] == ["calm"]
    assert pipeline.client.all(pipeline.dead_topic) == []

    assert pipeline.start().end() == 1, "it comes to the same record"
    pipeline.headrace(*way.split()[1:], "--why", "broken")
    pipeline.run()
    results, (letter,) = pipeline.ended()
    assert [seen.body["output"]["text"] for seen in results] == ["calm", "bright"]
    assert letter.header("headrace.code") == "HR523"


def test_egress_stops_at_a_record_that_no_model_answers_and_keeps_its_joins(pipeline: Pipeline) -> None:
    pipeline.write(
        models={"a": "echo", "b": "echo"},
        route={"parallel": {"models": ["a", "b"], "join": "vote"}},
        groups={"out": {"stages": ["egress"]}},
        delivery={"on_failure": "stop", "retries": 0},
    )
    workers = pipeline.run_groups("main", "out")
    pipeline.publish("0.5 calm")
    pipeline.outputs(1)
    (bad,) = pipeline.publish("json null")
    assert workers["out"].end() == 1
    said = workers["out"].events[-1]["message"]
    assert f"stopped at record {bad} failed at egress: HR530 " in said
    pipeline.publish("0.5 bright")
    pipeline.headrace("skip", str(pipeline.file), "--stage", "egress", "--partition", "0", "--why", "broken")
    pipeline.run_groups("out")
    results, (letter,) = pipeline.ended()
    assert [seen.body["output"]["label"] for seen in results] == ["calm", "bright"]
    assert letter.header("headrace.code") == "HR530"


def test_a_worker_that_stopped_at_the_end_of_a_wait_is_let_past_that_record(pipeline: Pipeline) -> None:
    pipeline.write(
        models={"a": "echo", "b": "echo"},
        route={"parallel": {"models": ["a", "b"], "join": "vote", "deadline": "2s"}},
        groups={"out": {"stages": ["egress"]}, "far": {"models": ["b"]}},
        delivery={"on_failure": "stop", "retries": 0},
    )
    workers = pipeline.run_groups("main", "out")
    (bad,) = pipeline.publish("json null")
    assert workers["out"].end() == 1
    said = workers["out"].events[-1]["message"]
    assert f"stopped at record {bad} failed at egress: HR531 " in said
    way = f"headrace skip {pipeline.file} --stage egress --record {bad}"
    assert said.endswith(f"pass over it: `{way}`")
    pipeline.headrace(*way.split()[1:], "--why", "broken")
    pipeline.run_groups("out")
    (letter,) = pipeline.dead_letters(1)
    assert letter.header("headrace.code") == "HR531"
    pipeline.publish("0.5 bright")
    assert [seen.body["output"]["label"] for seen in pipeline.outputs(1)] == ["bright"], "of the model that answered"


@GUARANTEES
def test_a_partition_pauses_while_a_record_s_error_may_pass_and_the_others_go_on(
    pipeline: Pipeline, tmp_path: Path, guarantee: str
) -> None:
    back = tmp_path / "back"
    pipeline.write(
        preprocess=[{"needs": {"file": str(back)}}, "fault"],
        delivery={"slow": "pause", "retries": 1, "guarantee": guarantee},
        topics={"partitions": 2},
    )
    worker = pipeline.run()
    pipeline.publish("first", "needs it", "raise", "after it", partition=0, key=b"ann")
    pipeline.publish("one", "two", partition=1)
    assert {seen.body["output"]["text"] for seen in pipeline.outputs(3)} == {"first", "one", "two"}
    held = until("its heartbeat", lambda: status(pipeline)["workers"][0]["held"])
    assert list(held) == ["ingress:0"]
    assert "the service is away" in held["ingress:0"]
    assert worker.figure("headrace_held_partitions", stage="ingress") == 1
    assert worker.get("readyz")[0] == 200
    pipeline.publish("three", partition=1)
    assert {seen.body["output"]["text"] for seen in pipeline.outputs(4)} == {"first", "one", "two", "three"}
    assert pipeline.client.committed(pipeline.group, pipeline.input)[0] == 1
    assert "ingress:0" in pipeline.headrace("status", str(pipeline.file))

    back.touch()
    results, dead = pipeline.ended()
    assert [seen.body["output"]["text"] for seen in results if seen.body["source"]["partition"] == 0] == [
        "first",
        "needs it",
        "after it",
    ]
    assert len(results) == 6
    assert [seen.body["text"] for seen in dead] == ["raise"], "what does not pass by itself is not waited for"
    until("a free partition", lambda: worker.figure("headrace_held_partitions", stage="ingress") == 0)


def test_patience_has_an_end(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.write(
        preprocess=[{"needs": {"file": str(tmp_path / "never")}}],
        delivery={"slow": "pause", "retries": 0, "patience": "2s"},
    )
    pipeline.run()
    began = time.monotonic()
    pipeline.publish("needs it", "after it")
    (letter,) = pipeline.dead_letters(1)
    assert time.monotonic() - began >= 2
    assert letter.body["text"] == "needs it"
    assert [seen.body["output"]["text"] for seen in pipeline.outputs(1)] == ["after it"]


def test_a_step_that_keeps_failing_is_left_alone_until_it_works_again(pipeline: Pipeline) -> None:
    pipeline.write(preprocess=["fault"], delivery={"quarantine": 3, "retries": 0})
    worker = pipeline.run()
    for number in range(3):
        pipeline.publish("raise")
        pipeline.dead_letters(number + 1)
    pipeline.publish("calm")
    letters = pipeline.dead_letters(4)
    assert [seen.header("headrace.code") for seen in letters] == ["HR501", "HR501", "HR501", "HR611"]
    assert "it failed on 3 records in a row" in letters[-1].header("__streams.errors.message")
    place = {"stage": "ingress", "plugin": "fault"}
    assert worker.figure("headrace_quarantined_steps", **place) == 1
    told = until("its heartbeat", lambda: status(pipeline)["workers"][0]["quarantined"])
    assert list(told) == ["ingress/fault"]

    def passes() -> bool:
        pipeline.publish("calm")
        return worker.figure("headrace_records_total", status="ok") > 0

    until("a record that passes", passes)
    assert worker.figure("headrace_quarantined_steps", **place) == 0


def test_a_record_that_expires_on_its_way_spends_no_time_of_a_model(pipeline: Pipeline) -> None:
    late, gate = f"{pipeline.name}.late", pipeline.folder / "go"
    pipeline.write(
        preprocess=[{"hold": {"file": str(gate)}}],
        output=[{"topic": {"name": pipeline.output}}, {"topic": {"name": late, "when": "status == 'expired'"}}],
    )
    worker = pipeline.run()
    soon = datetime.now(UTC) + timedelta(seconds=5)
    headers = [("ce_expirytime", soon.isoformat().encode())]
    pipeline.client.publish(pipeline.input, {"value": b'{"text": "hold"}', "headers": headers})
    until("a record on its way", (pipeline.folder / "go.held").exists)
    until("its end", lambda: datetime.now(UTC) > soon)
    gate.touch()
    (seen,) = pipeline.outputs(1, late)
    assert (seen.body["status"], seen.body["output"], seen.body["model"]) == ("expired", None, None)
    assert "before its turn at echo" in seen.body["reason"]
    assert worker.figure("headrace_model_records_total", model="echo") == 0
    results, dead = pipeline.ended()
    assert (results, dead) == ([], [])
