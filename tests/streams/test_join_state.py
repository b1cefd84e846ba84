"""What was kept of joins is read back whole: what was replaced or taken away counts no more."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer

from headrace.core.routing.waiting import Joins
from headrace.core.wire.errors import StateUnreadableError
from headrace.core.wire.state import state_messages
from headrace.streams.broker import Running
from headrace.streams.join_state import read_state
from tests.support.client import Client
from tests.support.parts import answered, asked, parallel

pytestmark = pytest.mark.broker

SLIP = parallel(models=("a", "b"))
LABEL = {"label": "x"}


def consumer(kafka: Running) -> Callable[[int], AIOKafkaConsumer]:
    return lambda fetch_bytes: AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap,
        max_partition_fetch_bytes=fetch_bytes,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
    )


async def test_what_waits_and_what_ended_is_read_back_by_partition(kafka: Running, topic: Callable[..., str]) -> None:
    client, name, joins = Client(kafka.bootstrap), topic(), Joins()
    client.make_topic(name, 4)
    for offset in range(500):
        joins.take(answered(asked(SLIP, offset)[0], LABEL), 0)
    sent = [*state_messages(joins.changes(), name, 3).waiting.values()]
    joins.take(answered(asked(SLIP, 7)[1], LABEL), 0)
    sent += state_messages(joins.changes(), name, 3).closing
    client.publish(name, *({"value": one.value, "key": one.key, "partition": 3} for one in sent))
    readers = await read_state(consumer(kafka), name, [1, 3, 9])
    kept = {partition: reader.kept() for partition, reader in readers.items()}
    assert {partition: len(one.waiting) for partition, one in kept.items()} == {1: 0, 3: 499, 9: 0}
    assert [one.record.source.offset for one in kept[3].waiting] == [at for at in range(500) if at != 7]
    (ended,) = kept[3].ended.values()
    assert ended.runs == [(7, 8, 1)]


async def test_what_somebody_else_wrote_there_is_refused(kafka: Running, topic: Callable[..., str]) -> None:
    client, name = Client(kafka.bootstrap), topic()
    client.make_topic(name, 1)
    client.publish(name, {"value": b"rubbish", "key": b"reviews:0:1", "partition": 0})
    readers = await read_state(consumer(kafka), name, [0])
    with pytest.raises(StateUnreadableError):
        readers[0].kept()
