"""Looks before the start whether a worker may join its consumer groups: Faust would wait for that for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from headrace.streams.access.connection import Connection
from headrace.streams.access.denial import denial
from headrace.streams.access.errors import AccessDeniedError

__all__ = ["refuse_denied"]

# https://github.com/apache/kafka/blob/4.0/clients/src/main/java/org/apache/kafka/common/acl/AclOperation.java
_READ = 1 << 3
_UNKNOWN = -(1 << 31)  # what a broker without rules answers
_TELLS = 3  # the first version of DescribeGroups that tells rights (KIP-430)
_READ_S = 1.0


async def refuse_denied(connection: Connection, client: Any, consumer: Any, groups: Iterable[str], topic: str) -> None:
    """Refuse a start that would end in silence.

    Args:
        connection: whose rights these are.
        client: aiokafka's admin client.
        consumer: one of aiokafka, without a group.
        groups: the consumer groups that the worker will join.
        topic: the heartbeat topic, which Faust reads.

    Raises:
        AccessDeniedError: HR243, it may not join a group, or not read the topic.
    """
    from aiokafka.errors import KafkaError

    try:
        for group in groups:
            allowed = await _operations(client, group)
            if allowed is not None and allowed != _UNKNOWN and not allowed & _READ:
                raise AccessDeniedError(connection.principal, "Read", "group", group)
        await _fetch(consumer, topic)
    except KafkaError as error:
        if (denied := denial(error, connection, topic=topic)) is not None:
            raise denied from None  # any other fault passes, or shows itself later


async def _operations(client: Any, group: str) -> int | None:
    """Return the operations that we are allowed on a group, a bit each; None when the broker does not tell."""
    from aiokafka.protocol.admin import DescribeGroupsRequest, DescribeGroupsRequest_v3, DescribeGroupsResponse_v3

    class Described(DescribeGroupsRequest_v3):  # type: ignore[misc]  # aiokafka has no types
        # aiokafka 0.14 reads this answer as one of version 2, and loses what it was asked for.
        RESPONSE_TYPE = DescribeGroupsResponse_v3

    class Describe(DescribeGroupsRequest):  # type: ignore[misc]
        def build(self, request_struct_class: Any) -> Any:
            return Described([group], True) if request_struct_class.API_VERSION >= _TELLS else None

    node = await client.find_coordinator(group)
    try:
        response = await client._send_request(Describe([group]), node)
    except AttributeError:  # nothing was built: the broker is older
        return None
    allowed: int = response.groups[0][-1]
    return allowed


async def _fetch(consumer: Any, topic: str) -> None:
    """Read once from a topic: metadata are told also to those who may not read."""
    from aiokafka import TopicPartition

    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    try:
        async with asyncio.timeout(_READ_S):
            end = (await consumer.end_offsets([partition]))[partition]
            consumer.seek(partition, max(0, end - 1))  # a record that is there comes at once
            await consumer.getmany(partition, timeout_ms=300)
    except TimeoutError:
        pass
    finally:
        consumer.unsubscribe()
