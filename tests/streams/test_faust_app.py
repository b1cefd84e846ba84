"""Faust's agents see what is committed only.

It would prove nothing if the agent read nothing at all, or had not come as far: what is committed lies behind what was
aborted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, RequestTimedOutError

from headrace.streams import faust_app
from headrace.streams.broker import Running
from headrace.streams.faust_app import FaustApp
from tests.support.client import PATIENCE_S, Client


class Coordinator:
    """What a consumer has to do with its group."""

    def __init__(self) -> None:
        self.told: list[BaseException] = []
        self.rejoins = 0

    async def _push_error_to_user(self, error: BaseException) -> None:
        self.told.append(error)

    def request_rejoin(self) -> None:
        self.rejoins += 1


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (KafkaError("GroupLoadInProgressError()"), True),
        (KafkaError("Unexpected exception in heartbeat task: GroupLoadInProgressError()"), True),
        (RequestTimedOutError(), True),
        (KafkaError("FencedInstanceIdError()"), False),
        (KafkaError("no such thing"), False),
        (GroupAuthorizationFailedError("g"), False),
    ],
)
async def test_what_may_pass_ends_no_reader_of_heartbeats(
    error: KafkaError, passes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faust_app, "AGAIN_S", 0.0)
    consumer, coordinator = faust_app._Patient.__new__(faust_app._Patient), Coordinator()
    consumer._coordinator = coordinator
    await coordinator._push_error_to_user(error)
    assert (coordinator.rejoins, coordinator.told) == ((1, []) if passes else (0, [error]))
    consumer._coordinator = None


@pytest.mark.broker
async def test_an_aborted_record_is_not_seen_by_an_agent(kafka: Running, topic: Callable[..., str]) -> None:
    client, name = Client(kafka.bootstrap), topic()
    client.make_topic(name)
    client.publish_in_transaction(name, b"aborted", is_committed=False)
    client.publish_in_transaction(name, b"committed", is_committed=True)
    app = FaustApp(
        topic("app"),
        broker=f"kafka://{kafka.bootstrap}",
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        value_serializer="raw",
        consumer_auto_offset_reset="earliest",
        loghandlers=[],
    )
    seen: list[bytes] = []
    came = asyncio.Event()

    @app.agent(app.topic(name, value_type=bytes))  # type: ignore[untyped-decorator]
    async def agent(stream: Any) -> None:
        async for value in stream:
            seen.append(value)
            came.set()

    await app.start()
    try:
        await asyncio.wait_for(came.wait(), PATIENCE_S)
    finally:
        await app.stop()
    assert seen == [b"committed"]
