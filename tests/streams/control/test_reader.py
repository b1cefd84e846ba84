"""The control topic is read whole and then followed, through damaged values and an absent broker."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from headrace.core.control import Settings
from headrace.core.wire.control import AliasMove
from headrace.streams.access.connection import Connection
from headrace.streams.broker import start, stop
from headrace.streams.control.reader import ControlReader
from headrace.streams.errors import BrokerUnreachableError
from tests.support.client import Client
from tests.support.controlled import Controlled

pytestmark = pytest.mark.broker


class Changes:
    """What a follower was told, to be awaited."""

    def __init__(self) -> None:
        self._told: asyncio.Queue[tuple[Settings, frozenset[str]]] = asyncio.Queue()

    def __call__(self, settings: Settings, keys: frozenset[str]) -> None:
        self._told.put_nowait((settings, keys))

    async def until(self, key: str) -> Settings:
        """Wait for a change of that key."""
        async with asyncio.timeout(40):
            while True:
                settings, keys = await self._told.get()
                if key in keys:
                    return settings


async def test_an_empty_topic_says_nothing(controlled: Controlled) -> None:
    async with ControlReader(controlled.connection, controlled.pipeline) as reader:
        assert await reader.read_whole() == Settings()


async def test_everything_that_is_there_is_read_at_once_and_later_values_win(controlled: Controlled) -> None:
    controlled.write(
        *((f"skip/expert/{at}", b'{"from": 0, "until": 1}') for at in range(2000)),
        ("alias/reviews@prod", b'{"version": 1}'),
        ("alias/reviews@prod", b'{"version": 2}'),
        ("paused/expert", b"{}"),
        ("paused/expert", None),
    )
    async with ControlReader(controlled.connection, controlled.pipeline) as reader:
        settings = await reader.read_whole()
    assert len(settings.skips()["expert"]) == 2000
    assert settings.aliases() == {"reviews@prod": "2"}
    assert not settings.is_paused("expert")


async def test_changes_are_told_as_they_come(controlled: Controlled) -> None:
    controlled.write(("alias/reviews@prod", b'{"version": 1}'))
    changes = Changes()
    async with ControlReader(controlled.connection, controlled.pipeline) as reader:
        await reader.read_whole()
        following = asyncio.create_task(reader.follow(changes))
        controlled.write(("paused/expert", b'{"why": "rest"}'))
        assert (await changes.until("paused/expert")).paused() == {"expert": "rest"}
        controlled.write(("paused/expert", None))
        assert (await changes.until("paused/expert")).paused() == {}
        assert reader.settings.aliases() == {"reviews@prod": "1"}
        following.cancel()


async def test_a_damaged_value_is_logged_and_the_one_before_it_stays(
    controlled: Controlled, caplog: pytest.LogCaptureFixture
) -> None:
    damaged: list[tuple[Any, bytes]] = [("alias/reviews@prod", b"{"), ("moon/phase", b"?"), (None, b"?"), ("", b"?")]
    producer = controlled.client.producer()
    controlled.write(("alias/reviews@prod", b'{"version": 1}'))
    for key, value in damaged:
        if key is not None:  # a compacted topic takes no message without a key
            producer.produce(controlled.control, value, key)
    producer.produce(controlled.control, b"{}", b"\xff\xfe")
    assert producer.flush(20) == 0
    with caplog.at_level(logging.WARNING):
        async with ControlReader(controlled.connection, controlled.pipeline) as reader:
            settings = await reader.read_whole()
    assert settings.value("alias/reviews@prod") == AliasMove(version="1")
    told = [record.getMessage() for record in caplog.records if record.name.startswith("headrace")]
    assert len(told) == 1
    assert told[0].startswith(f"setting 'alias/reviews@prod' at offset 1 of {controlled.control} is passed over: ")


async def test_what_was_aborted_is_not_in_force_and_does_not_hold_up(controlled: Controlled) -> None:
    producer = Producer({"bootstrap.servers": controlled.connection, "transactional.id": controlled.pipeline})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(controlled.control, b"{}", "paused/expert")
    producer.flush(20)
    producer.abort_transaction(20)
    async with ControlReader(controlled.connection, controlled.pipeline) as reader:
        assert await reader.read_whole() == Settings(), "an abort marker is the last thing in the topic"


async def test_following_goes_on_when_the_broker_comes_back(broker_home: Path) -> None:
    running = start(broker_home, port=0)
    client = Client(running.bootstrap)
    client.make_topic("p.control", cleanup_policy="compact")
    changes = Changes()
    async with ControlReader(Connection(running.bootstrap), "p") as reader:
        await reader.read_whole()
        following = asyncio.create_task(reader.follow(changes))
        await asyncio.to_thread(stop, broker_home)
        await asyncio.to_thread(start, broker_home, port=running.port)
        client.publish("p.control", {"key": "paused/expert", "value": b"{}"})
        assert (await changes.until("paused/expert")).is_paused("expert")
        assert not following.done()
        following.cancel()


@pytest.mark.provokes("HR201")
async def test_no_broker_is_one_clear_error() -> None:
    async with ControlReader(Connection("127.0.0.1:1"), "p") as reader:
        with pytest.raises(BrokerUnreachableError, match=r"p\.control could not be read"):
            await reader.read_whole()
