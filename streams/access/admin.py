"""An admin client of the broker, and why there is none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from headrace.streams.access.connection import Connection
from headrace.streams.access.denial import denials
from headrace.streams.access.refusal import why_unreachable

__all__ = ["ANSWER_S", "admin", "silence"]

ANSWER_S = 6.0
"""A broker answers within milliseconds; what listens there and says nothing is none."""

CLOSE_S = 2.0


@asynccontextmanager
async def admin(connection: Connection) -> AsyncIterator[Any]:
    """Give an admin client for the broker.

    Raises:
        BrokerUnreachableError: HR201, nobody answers there.
        LoginRefusedError: HR241.
        AccessDeniedError: HR243, for what the broker does not allow while it is used.
        TlsRefusedError: HR242.
    """
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    client = None
    try:
        client = AIOKafkaAdminClient(**connection.options, request_timeout_ms=15_000)
        with silence():
            await asyncio.wait_for(client.start(), ANSWER_S)
    except (KafkaError, OSError, ValueError, OverflowError) as error:
        if client is not None:
            await _close(client)
        with silence():
            why = await why_unreachable(connection, error)
        raise why from None
    try:
        with denials(connection, operation="Create"):
            yield client
    finally:
        await _close(client)


async def _close(client: Any) -> None:
    # Python 3.11's wait_for, which aiokafka uses, may swallow the cancellation that close() then waits for.
    with suppress(TimeoutError):
        await asyncio.wait_for(client.close(), CLOSE_S)


@contextmanager
def silence() -> Iterator[None]:
    """Let aiokafka not say what our own error says better."""
    logger = logging.getLogger("aiokafka")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
