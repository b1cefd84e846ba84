"""What the broker tells of a pipeline: lag, the oldest record, members, workers, settings."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer

from headrace.core.plan.compile import compile_file
from headrace.core.plan.plan import Plan
from headrace.core.wire.heartbeat import Heartbeat, encode_heartbeat
from headrace.streams.access.connection import Connection
from headrace.streams.control.target import readings
from headrace.streams.errors import BrokerUnreachableError
from headrace.streams.offsets import Span
from headrace.streams.status.facts import ModelFacts, PipelineFacts
from headrace.streams.status.gather import gather, stage_spans
from tests.support.controlled import Controlled

pytestmark = pytest.mark.broker


def plan_of(pipeline: Controlled) -> Plan:
    return compile_file(pipeline.file, registry=str(pipeline.file.parent))


async def look(pipeline: Controlled) -> PipelineFacts:
    return await gather(pipeline.connection, plan_of(pipeline))


@asynccontextmanager
async def member(pipeline: Controlled) -> AsyncIterator[AIOKafkaConsumer]:
    """A worker's consumer, as far as the broker can tell."""
    consumer = AIOKafkaConsumer(
        pipeline.pipeline,
        bootstrap_servers=pipeline.bootstrap,
        group_id=pipeline.group,
        client_id="headrace-p-w1-consumer",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def test_lag_is_told_by_partition_with_the_age_of_the_oldest(controlled: Controlled) -> None:
    controlled.publish(5, partition=0)
    controlled.publish(3, partition=1)
    controlled.client.commit(controlled.group, controlled.pipeline, {0: 2, 1: 3})
    old = {"value": b"{}", "partition": 1, "timestamp": int(time.time() * 1000) - 90_000}
    controlled.client.publish(controlled.pipeline, old)
    (stage,) = (await look(controlled)).stages
    assert (stage.stage, stage.topic, stage.lag) == ("ingress", controlled.pipeline, 4)
    first, second = stage.partitions
    assert (first.committed, first.end, first.lag) == (2, 5, 3)
    assert (second.committed, second.end, second.lag) == (3, 4, 1)
    assert first.oldest_s is not None
    assert 0 <= first.oldest_s < 60
    assert second.oldest_s is not None
    assert 90 <= second.oldest_s < 150
    assert stage.oldest_s == second.oldest_s


async def test_what_was_never_read_waits_from_the_first_record_that_is_left(controlled: Controlled) -> None:
    controlled.publish(5)
    controlled.client.delete_before(controlled.pipeline, {0: 2})
    (stage,) = (await look(controlled)).stages
    assert (stage.partitions[0].committed, stage.partitions[0].lag) == (None, 3)
    assert (stage.partitions[1].lag, stage.partitions[1].oldest_s) == (0, None)


async def test_where_reading_begins_is_unknown_when_it_begins_with_the_next_record(controlled: Controlled) -> None:
    controlled.publish(5)
    text = controlled.file.read_text().replace('"text": "text"}', '"text": "text", "start": "latest"}')
    controlled.file.write_text(text)
    (stage,) = (await look(controlled)).stages
    assert (stage.partitions[0].lag, stage.lag) == (None, 0)


async def test_members_are_told_with_their_partitions(controlled: Controlled) -> None:
    async with member(controlled):
        (stage,) = (await look(controlled)).stages
    assert stage.state == "Stable"
    (only,) = stage.members
    assert (only["client_id"], only["partitions"]) == ("headrace-p-w1-consumer", (0, 1))
    assert only["host"]


async def test_settings_are_told(controlled: Controlled) -> None:
    controlled.publish(5)
    controlled.client.commit(controlled.group, controlled.pipeline, {0: 2})
    controlled.write(
        ("paused/ingress", b'{"why": "rest"}'),
        ("skip/ingress/0", b'{"from": 2, "until": 4, "why": "poison"}'),
        ("skip/ingress/1", b'{"from": 0, "until": 0}'),
        ("stopped/model/quick", b'{"why": "cost"}'),
        ("stopped/experiment/price", b'{"why": "harm"}'),
        ("alias/reviews@prod", b'{"version": 2}'),
        ("ready/reviews@2/expert/h-0", b'{"ok": true}'),
        ("ready/reviews@2/expert/h-1", b'{"ok": false, "why": "no memory"}'),
    )
    facts = await look(controlled)
    (stage,) = facts.stages
    assert stage.paused == "rest"
    skip = stage.partitions[0].skip
    assert skip
    assert (skip["from"], skip["until"], skip["why"]) == (2, 4, "poison")
    assert stage.partitions[1].skip is None, "it was read past"
    assert facts.stopped_models == {"quick": "cost"}
    assert facts.stopped_experiments == {"price": "harm"}
    assert facts.aliases == {"reviews@prod": "2"}
    assert facts.models == (ModelFacts("reviews", "2", {"expert": {"h-0": None, "h-1": "no memory"}}),)


async def test_workers_are_told_by_their_last_sign_of_life(controlled: Controlled) -> None:
    topic = f"{controlled.pipeline}.main.heartbeat"
    controlled.client.make_topic(topic)
    now_ms = int(time.time() * 1000)
    beats = [("w1", 30_000, False), ("w1", 0, True), ("w2", 30_000, True), ("w3", 120_000, True)]
    controlled.client.publish(
        topic,
        {"key": "w0", "value": b"?"},
        *(
            {"key": name, "value": encode_heartbeat(Heartbeat(ready=ready, plan="abc")), "timestamp": now_ms - age_ms}
            for name, age_ms, ready in sorted(beats, key=lambda beat: -beat[1])
        ),
    )
    facts = await look(controlled)
    assert [(one.worker, one.group, one.alive, one.ready) for one in facts.workers] == [
        ("w1", "main", True, True),
        ("w2", "main", False, True),
    ]
    assert facts.workers[0].plan == "abc"
    assert 30 <= facts.workers[1].seen_s < 60


async def test_a_pipeline_that_never_ran_has_nothing_to_tell(controlled: Controlled) -> None:
    text = controlled.file.read_text().replace(controlled.pipeline, f"{controlled.pipeline}-x")
    controlled.file.write_text(text)
    facts = await look(controlled)
    (stage,) = facts.stages
    assert not facts.has_run
    assert (stage.exists, stage.partitions, stage.members, stage.state) == (False, (), (), "Dead")
    assert controlled.client.partitions(f"{controlled.pipeline}-x") == 0, "nothing is made by looking"


async def test_one_stage_can_be_asked_for_alone(controlled: Controlled) -> None:
    controlled.publish(5)
    controlled.client.commit(controlled.group, controlled.pipeline, {0: 2})
    plan = plan_of(controlled)
    found = await stage_spans(controlled.connection, plan, readings(plan)[0])
    assert found == {0: Span(0, 2, 5, 2), 1: Span(0, None, 0, 0)}


@pytest.mark.provokes("HR201")
async def test_no_broker_is_one_clear_error(controlled: Controlled) -> None:
    with pytest.raises(BrokerUnreachableError, match="no Kafka broker answers"):
        await gather(Connection("127.0.0.1:1"), plan_of(controlled))
