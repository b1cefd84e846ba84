"""Readers that join their group again, and those that have to hear what is wrong, on the real Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, RequestTimedOutError

from headrace.streams import rejoining
from headrace.streams.bounded_consumer import BoundedConsumer
from headrace.streams.broker import Running
from headrace.streams.rejoining import Rejoining
from tests.support.client import PATIENCE_S, Client


class Coordinator:
    """What a consumer has to do with its group."""

    group_id = "group"

    def __init__(self) -> None:
        self.told: list[BaseException] = []
        self.rejoins = self.resets = 0

    async def _push_error_to_user(self, error: BaseException) -> None:
        self.told.append(error)

    def request_rejoin(self) -> None:
        self.rejoins += 1

    def reset_generation(self) -> None:
        self.resets += 1


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (KafkaError("GroupLoadInProgressError()"), (1, 0, 0)),
        (KafkaError("Unexpected exception in heartbeat task: GroupLoadInProgressError()"), (1, 0, 0)),
        (RequestTimedOutError(), (1, 0, 0)),
        (KafkaError("UnknownError()"), (0, 1, 0)),
        (KafkaError("NoSuchThingError()"), (0, 0, 1)),
        (KafkaError("no such thing"), (0, 0, 1)),
        (GroupAuthorizationFailedError("g"), (0, 0, 1)),
    ],
)
async def test_what_may_pass_is_tried_again_and_the_rest_is_told(
    error: KafkaError, seen: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejoining, "AGAIN_S", 0.0)
    consumer, coordinator = Rejoining(), Coordinator()
    consumer._coordinator = coordinator
    await coordinator._push_error_to_user(error)
    assert (coordinator.rejoins, coordinator.resets, len(coordinator.told)) == seen


@asynccontextmanager
async def member(bootstrap: str, name: str) -> AsyncIterator[Any]:
    consumer = BoundedConsumer(
        limits={},
        bootstrap_servers=bootstrap,
        group_id=f"{name}.group",
        group_instance_id="w1",
        auto_offset_reset="none",
        enable_auto_commit=False,
        heartbeat_interval_ms=100,
    )
    consumer.subscribe([name])
    await consumer.start()
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not consumer.assignment():
                await asyncio.sleep(0.02)
            yield consumer
    finally:
        await consumer.stop()


@pytest.mark.broker
async def test_a_member_that_the_broker_no_longer_knows_by_its_id_is_let_in_again(
    kafka: Running, topic: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejoining, "AGAIN_S", 0.02)
    client, name = Client(kafka.bootstrap), topic()
    client.make_topic(name, 1)
    async with member(kafka.bootstrap, name) as consumer:
        coordinator = consumer._coordinator
        right = coordinator.member_id
        # As after a restart of a broker that remembers another one: the same name under an id that it has not given.
        coordinator.member_id = f"w1-{'0' * 8}-0000-0000-0000-{'0' * 12}"
        coordinator.request_rejoin()
        while not (coordinator.generation > 0 and coordinator.member_id not in ("", right) and joined(consumer)):
            consumer.stay()
            await asyncio.sleep(0.02)
        assert coordinator.member_id.startswith("w1-")


@pytest.mark.broker
async def test_what_cannot_pass_is_heard_by_who_only_waits_and_then_the_group_is_joined_again(
    kafka: Running, topic: Callable[..., str]
) -> None:
    client, name = Client(kafka.bootstrap), topic()
    client.make_topic(name, 1)
    async with member(kafka.bootstrap, name) as consumer:
        coordinator = consumer._coordinator
        telling = asyncio.create_task(coordinator._push_error_to_user(KafkaError("no such thing")))
        await asyncio.sleep(0)
        with pytest.raises(KafkaError, match="no such thing"):
            consumer.stay()
        await telling
        consumer.stay()


def joined(consumer: Any) -> bool:
    return bool(consumer.assignment()) and not consumer._coordinator.need_rejoin(consumer._subscription.subscription)
