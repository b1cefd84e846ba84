"""Faust's agents see what is committed only.

It would prove nothing if the agent read nothing at all, or had not come as far: what is committed lies behind what was
aborted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from headrace.streams.broker import Running
from headrace.streams.faust_app import FaustApp
from tests.support.client import PATIENCE_S, Client


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
