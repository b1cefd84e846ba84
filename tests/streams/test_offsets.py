"""Lags and ends as a broker tells them, over connections that are kept."""

from __future__ import annotations

import pytest

from headrace.streams.access.connection import Connection
from headrace.streams.errors import BrokerUnreachableError
from headrace.streams.observer import Observer
from headrace.streams.offsets import committed_offsets, end_offsets, holds_unread, lags, link_lags
from tests.support.client import until
from tests.support.controlled import Controlled

pytestmark = pytest.mark.broker


def make_link(pipeline: Controlled, stage: str, *counts: int) -> str:
    """Make a link with so many messages in each partition."""
    topic = f"{pipeline.pipeline}.link.{stage}"
    pipeline.client.make_topic(topic, len(counts))
    sent = [{"value": b"frame", "partition": number} for number, count in enumerate(counts) for _ in range(count)]
    pipeline.client.publish(topic, *sent)
    return topic


async def test_every_link_that_is_there_has_its_lag_also_one_that_nobody_ever_read(controlled: Controlled) -> None:
    topic = make_link(controlled, "echo", 3, 0, 2)
    make_link(controlled, "old.2", 4)
    controlled.client.commit(f"{controlled.pipeline}.echo", topic, {0: 1, 1: 0})
    async with Observer(controlled.connection, "test") as observer:
        assert await link_lags(observer, controlled.pipeline) == {"echo": 4, "old.2": 4}
        found = await lags(observer, {topic: f"{controlled.pipeline}.echo", "not-there": "nobody"})
        assert found == {topic: {0: 2, 1: 0, 2: 2}}
        assert await end_offsets(observer, topic) == {0: 3, 1: 0, 2: 2}
        assert await committed_offsets(observer, f"{controlled.pipeline}.echo", topic) == {0: 1, 1: 0}


async def test_what_was_purged_is_no_lag_and_a_grown_link_is_seen(controlled: Controlled) -> None:
    topic = make_link(controlled, "echo", 5)
    controlled.client.delete_before(topic, {0: 3})
    readers = {topic: f"{controlled.pipeline}.echo"}
    async with Observer(controlled.connection, "test") as observer:
        assert await lags(observer, readers) == {topic: {0: 2}}
        controlled.client.grow_topic(topic, 2)
        controlled.client.publish(topic, {"value": b"frame", "partition": 1})
        assert await lags(observer, readers) == {topic: {0: 2, 1: 1}}


async def test_looks_share_their_connections_and_a_closed_observer_connects_anew(controlled: Controlled) -> None:
    observer = Observer(controlled.connection, "test")
    client, consumer = await observer.client(), await observer.consumer()
    await link_lags(observer, controlled.pipeline)
    assert (await observer.client(), await observer.consumer()) == (client, consumer)
    await observer.close()
    assert await observer.client() is not client
    assert await link_lags(observer, controlled.pipeline) == {}
    await observer.close()


async def test_only_who_is_wary_sees_what_may_still_be_committed(controlled: Controlled) -> None:
    topic = make_link(controlled, "echo", 1)
    producer = controlled.client.producer(**{"transactional.id": topic})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(topic, b"frame", partition=0)
    assert producer.flush(20) == 0
    async with (
        Observer(controlled.connection, "a") as usual,
        Observer(controlled.connection, "b", is_wary=True) as wary,
    ):
        assert await link_lags(usual, controlled.pipeline) == {"echo": 1}
        assert await link_lags(wary, controlled.pipeline) == {"echo": 2}
    producer.abort_transaction(20)


async def test_what_was_aborted_is_lag_but_nothing_to_read(controlled: Controlled) -> None:
    topic, group = make_link(controlled, "echo", 1), f"{controlled.pipeline}.echo"
    controlled.client.commit(group, topic, {0: 1})
    controlled.client.publish_in_transaction(topic, b"frame", is_committed=False)
    until("the end of the transaction", lambda: controlled.client.is_settled(topic))
    async with Observer(controlled.connection, "test") as observer:
        assert await link_lags(observer, controlled.pipeline) == {"echo": 2}
        assert not await holds_unread(observer, group, topic)
        controlled.client.publish(topic, {"value": b"frame"})
        assert await holds_unread(observer, group, topic)


@pytest.mark.provokes("HR201")
async def test_no_broker_is_one_clear_error() -> None:
    async with Observer(Connection("127.0.0.1:1"), "test") as observer:
        with pytest.raises(BrokerUnreachableError, match="no Kafka broker answers"):
            await observer.client()
        with pytest.raises(BrokerUnreachableError, match="no Kafka broker answers"):
            await observer.consumer()
