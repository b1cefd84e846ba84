"""Which rights the broker says that we have on topics and groups (KIP-430); aiokafka 0.14 asks for neither."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["READ", "WRITE", "group_rights", "topic_rights"]

# https://github.com/apache/kafka/blob/4.0/clients/src/main/java/org/apache/kafka/common/acl/AclOperation.java
READ, WRITE = 1 << 3, 1 << 4
_UNKNOWN = -(1 << 31)  # what a broker without rules may answer
_TELLS = 3  # the first version of DescribeGroups that tells rights
_DENIED = 29  # TOPIC_AUTHORIZATION_FAILED: not even Describe


async def group_rights(client: Any, group: str) -> int | None:
    """Return what we may do with a consumer group, a bit each; None when the broker does not tell.

    Args:
        client: aiokafka's admin client.
        group: its name.

    Raises:
        KafkaError: not even Describe is allowed, or the broker does not answer.
    """
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
    return _told(response.groups[0][-1])


async def topic_rights(client: Any, topics: Sequence[str]) -> Mapping[str, int]:
    """Return what we may do with topics, a bit each; one that the broker does not tell of is left out.

    Args:
        client: aiokafka's admin client.
        topics: their names; they are not made.

    Raises:
        KafkaError: the broker does not answer.
    """
    response = await client._send_request(_metadata_request([*topics]))
    found = {}
    for error, topic, _, _, operations in response.topics:
        told = 0 if error == _DENIED else _told(operations) if error == 0 else None
        if told is not None:
            found[topic] = told
    return found


def _told(operations: int) -> int | None:
    return None if operations == _UNKNOWN else operations


def _metadata_request(topics: list[str]) -> Any:
    """Return a request for metadata of version 8, the first that tells rights: Kafka 2.3."""
    from aiokafka.protocol.api import Request, RequestStruct, Response
    from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

    text, numbers = String("utf-8"), Array(Int32)
    broker = (("node_id", Int32), ("host", text), ("port", Int32), ("rack", text))
    places = (("leader", Int32), ("leader_epoch", Int32))
    replicas = (("replicas", numbers), ("isr", numbers), ("offline_replicas", numbers))
    partition = (("error_code", Int16), ("partition", Int32), *places, *replicas)
    head = (("error_code", Int16), ("topic", text), ("is_internal", Boolean))
    topic = (*head, ("partitions", Array(*partition)), ("authorized_operations", Int32))

    class Answer(Response):  # type: ignore[misc]  # aiokafka has no types
        API_KEY, API_VERSION = 3, 8
        SCHEMA = Schema(
            ("throttle_time_ms", Int32),
            ("brokers", Array(*broker)),
            ("cluster_id", text),
            ("controller_id", Int32),
            ("topics", Array(*topic)),
            ("cluster_authorized_operations", Int32),
        )

    class Asked(RequestStruct):  # type: ignore[misc]
        API_KEY, API_VERSION, RESPONSE_TYPE = 3, 8, Answer
        SCHEMA = Schema(
            ("topics", Array(text)),
            ("allow_auto_topic_creation", Boolean),
            ("include_cluster_authorized_operations", Boolean),
            ("include_topic_authorized_operations", Boolean),
        )

    class Ask(Request[Asked]):  # type: ignore[misc]
        API_KEY = 3

        def build(self, request_struct_class: Any) -> Any:
            return request_struct_class(topics, False, False, True)

    return Ask()
