"""Messages that are read again where they lie, also after the broker was away."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiokafka.errors import KafkaConnectionError

from headrace.core.record import Position
from headrace.streams.bounded_consumer import BoundedConsumer
from headrace.streams.broker import Running
from headrace.streams.originals import Originals
from tests.support.client import Client

pytestmark = pytest.mark.broker


async def test_a_broker_that_was_away_the_first_time_is_asked_again(kafka: Running, topic: Callable[..., str]) -> None:
    client, name = Client(kafka.bootstrap), topic()
    client.make_topic(name, 1)
    client.publish(name, {"value": b"as it came"})
    nobody, asked = "127.0.0.1:1", list[str]()

    def make() -> BoundedConsumer:
        asked.append(nobody if not asked else kafka.bootstrap)
        settings = {"bootstrap_servers": asked[-1], "enable_auto_commit": False, "auto_offset_reset": "none"}
        return BoundedConsumer(limits={}, **settings)

    originals = Originals(make)
    with pytest.raises(KafkaConnectionError):
        await originals.read(Position(name, 0, 0))
    found = await originals.read(Position(name, 0, 0))
    assert found is not None
    assert found.value == b"as it came"
    assert await originals.read(Position(name, 0, 1)) is None
    await originals.close()
    assert asked == [nobody, kafka.bootstrap]
