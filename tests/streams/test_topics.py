"""Topics as the plan says: made, taken as they are, or refused in one line with the place."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headrace.core.errors import ProblemsError
from headrace.core.plan.compile import compile_file
from headrace.core.plan.plan import Plan
from headrace.core.wire.dead import HEADROOM_BYTES
from headrace.streams.access.connection import Connection
from headrace.streams.broker import Running
from headrace.streams.errors import (
    BrokerUnreachableError,
    PartitionsError,
    TopicLimitError,
    TopicMissingError,
    TopicRefusedError,
)
from headrace.streams.topic_facts import LARGEST_REQUEST_BYTES
from headrace.streams.topics import ensure_topics
from tests.support.client import Client

pytestmark = pytest.mark.broker

LIMIT = 1_048_588
MakePlan = Callable[..., Plan]


@pytest.fixture
def client(kafka: Running) -> Client:
    return Client(kafka.bootstrap)


@pytest.fixture
def planned(tmp_path: Path, topic: Callable[..., str]) -> MakePlan:
    """Compile a pipeline without models whose name and input are the test's own topic name."""

    def compiled(**sections: Any) -> Plan:
        said = {
            "headrace": 1,
            "pipeline": topic(),
            "input": {"topic": topic()},
            "output": [{"topic": {"name": topic("out")}}],
            **sections,
        }
        file = tmp_path / "p.yaml"
        file.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in said.items()))
        return compile_file(file, registry=str(tmp_path), environ={})

    return compiled


async def test_missing_topics_are_made_as_the_plan_says(planned: MakePlan, client: Client, kafka: Running) -> None:
    plan = planned(topics={"partitions": 3})
    there = await ensure_topics(plan, Connection(kafka.bootstrap))
    assert {name: facts.partitions for name, facts in there.items()} == {
        plan.input.topic: 3,
        plan.outputs[0].name: 3,
        plan.dead_topic: 3,
        plan.groups["main"].heartbeat_topic: 1,
        f"{plan.pipeline}.control": 1,
        f"{plan.pipeline}.audit": 1,
    }
    assert {name: client.partitions(name) for name in there} == {
        name: facts.partitions for name, facts in there.items()
    }
    dead = client.config(plan.dead_topic)
    assert dead["max.message.bytes"] == str(LIMIT + HEADROOM_BYTES)
    assert (dead["retention.ms"], dead["cleanup.policy"]) == ("-1", "delete")


async def test_a_second_worker_finds_them_and_makes_nothing(planned: MakePlan, kafka: Running) -> None:
    plan = planned()
    assert await ensure_topics(plan, Connection(kafka.bootstrap)) == await ensure_topics(
        plan, Connection(kafka.bootstrap)
    )


async def test_what_is_missing_is_as_wide_as_the_input_that_is_there(
    planned: MakePlan, client: Client, kafka: Running
) -> None:
    plan = planned()
    client.make_topic(plan.input.topic, 5, max_message_bytes="3000000")
    there = await ensure_topics(plan, Connection(kafka.bootstrap))
    assert there[plan.outputs[0].name].partitions == 5
    assert there[plan.dead_topic].max_message_bytes == 3_000_000 + HEADROOM_BYTES


async def test_a_compacted_topic_is_known_as_one(planned: MakePlan, client: Client, kafka: Running) -> None:
    plan = planned()
    client.make_topic(plan.outputs[0].name, 1, cleanup_policy="compact,delete")
    there = await ensure_topics(plan, Connection(kafka.bootstrap))
    compacted = {name for name, facts in there.items() if facts.is_compacted}
    assert compacted == {plan.outputs[0].name, f"{plan.pipeline}.control"}


@pytest.mark.provokes("HR212")
@pytest.mark.parametrize("role", ["", "out"])
async def test_other_partitions_than_the_plan_s_are_refused_at_their_place(
    role: str, planned: MakePlan, client: Client, kafka: Running, topic: Callable[..., str]
) -> None:
    client.make_topic(topic(role), 3)
    plan = planned(topics={"partitions": 2})
    with pytest.raises(
        PartitionsError, match="has 3 partitions, the plan says 2; write partitions: 3, or leave"
    ) as caught:
        await ensure_topics(plan, Connection(kafka.bootstrap))
    assert caught.value.place is not None
    assert caught.value.place.line == (4 if role else 3)
    assert client.partitions(plan.dead_topic) == 0, "nothing is made for a plan that is refused"


@pytest.mark.provokes("HR211")
async def test_without_leave_to_make_topics_all_that_are_missing_are_named(
    planned: MakePlan, client: Client, kafka: Running
) -> None:
    plan = planned(topics={"create": False})
    client.make_topic(plan.outputs[0].name)
    with pytest.raises(TopicMissingError) as caught:
        await ensure_topics(plan, Connection(kafka.bootstrap))
    for name in (plan.input.topic, plan.dead_topic, plan.groups["main"].heartbeat_topic):
        assert repr(name) in str(caught.value)
    assert repr(plan.outputs[0].name) not in str(caught.value)
    assert client.partitions(plan.input.topic) == 0


@pytest.mark.provokes("HR214")
async def test_a_dead_letter_topic_that_takes_too_little_is_refused(
    planned: MakePlan, client: Client, kafka: Running
) -> None:
    plan = planned()
    client.make_topic(plan.dead_topic)
    with pytest.raises(TopicLimitError, match=f"set its max.message.bytes to {LIMIT + HEADROOM_BYTES}"):
        await ensure_topics(plan, Connection(kafka.bootstrap))


async def test_an_input_whose_largest_message_is_no_dead_letter_any_more_is_refused(
    planned: MakePlan, client: Client, kafka: Running
) -> None:
    plan = planned()
    client.make_topic(plan.input.topic, max_message_bytes=str(LARGEST_REQUEST_BYTES))
    with pytest.raises(TopicLimitError, match=f"to {LARGEST_REQUEST_BYTES - HEADROOM_BYTES} at most"):
        await ensure_topics(plan, Connection(kafka.bootstrap))


async def test_all_topics_that_take_too_little_are_named_at_once(
    planned: MakePlan, client: Client, kafka: Running, topic: Callable[..., str]
) -> None:
    apart = {"models": {"quick": "lexicon"}, "groups": {"apart": {"models": ["quick"]}}}
    plan = planned(input={"topic": topic(), "text": "text"}, **apart)
    small = [plan.dead_topic, *(topic.name for topic in plan.topics if topic.role == "link")]
    for name in small:
        client.make_topic(name, 8, max_message_bytes="1000")
    with pytest.raises(ProblemsError) as caught:
        await ensure_topics(plan, Connection(kafka.bootstrap))
    assert [problem.topic for problem in caught.value.problems] == small  # type: ignore[attr-defined]


@pytest.mark.provokes("HR213")
async def test_more_replicas_than_brokers_are_refused_in_the_broker_s_words(planned: MakePlan, kafka: Running) -> None:
    with pytest.raises(TopicRefusedError, match=r"refuses to make topic .* 3 time"):
        await ensure_topics(planned(topics={"replication": 3}), Connection(kafka.bootstrap))


@pytest.mark.provokes("HR201")
@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:1",
        "no-such-host.invalid:9092",
        "nonsense",
        "127.0.0.1:port",
        "127.0.0.1:99999",
        ":::",
        "http://x",
        " , ",
    ],
)
async def test_an_address_without_a_broker_is_one_line_and_no_log(
    address: str, planned: MakePlan, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(BrokerUnreachableError, match=r"no Kafka broker answers at .*; start it, or correct"):
        await ensure_topics(planned(), Connection(address))
    assert caplog.records == []


async def test_something_else_that_listens_there_is_not_waited_for_long(
    planned: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.streams.access.admin.ANSWER_S", 0.2)
    monkeypatch.setattr("headrace.streams.access.refusal.KNOCK_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(BrokerUnreachableError, match="TimeoutError"):
        await ensure_topics(planned(), Connection(f"127.0.0.1:{mute.getsockname()[1]}"))
