"""Which Kafka a pipeline would use, whether it answers, and what it is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import NamedTuple

from headrace.core.config.broker import Broker
from headrace.core.errors import HeadraceError
from headrace.streams.access.connection import Connection, connection_to
from headrace.streams.access.refusal import why_unreachable
from headrace.streams.doctor.finding import Finding, of_error

__all__ = ["Cluster", "find_broker", "look_at_java", "look_at_kafka", "release_finding"]

_FETCH = 1  # https://kafka.apache.org/protocol#protocol_api_keys
_OLDEST_IN_4 = 4  # Kafka 4.0 takes no Fetch older than version 4 (KIP-896)
_NEWEST_IN_3_7 = 16  # Kafka 3.7 brought Fetch 16 (KIP-951)
_ANSWER_S = 20.0


class Cluster(NamedTuple):
    """What a cluster says of itself: its brokers, and the versions of Fetch that they take."""

    nodes: list[str]
    oldest_fetch: int
    newest_fetch: int


def look_at_java(*, is_needed: bool) -> Finding:
    """Return which Java the embedded broker would use; without one it cannot start."""
    from headrace.streams.broker.java import find_java, java_version

    try:
        java = find_java()
    except HeadraceError as error:
        return of_error("java", error, "fail" if is_needed else "warn")
    return Finding("java", "ok", f"{java_version(java)} at {java}, for the embedded broker")


def find_broker(setting: Broker | None) -> tuple[Connection | None, Finding | None]:
    """Return the connection that a command would use, or what to say of there being none. Nothing is started."""
    from headrace.streams.broker.errors import BrokerDiedError, BrokerNotRunningError
    from headrace.streams.home import home

    try:
        return connection_to(setting, start_embedded=False, home=home()), None
    except BrokerNotRunningError:
        fact = "none is named, and the embedded one does not run; `headrace run` starts it"
        return None, Finding("broker", "ok", fact)
    except BrokerDiedError as error:
        return None, of_error("broker", error, "warn")  # the next command that needs it starts it again
    except HeadraceError as error:
        return None, of_error("broker", error)


def look_at_kafka(connection: Connection, setting: Broker | None) -> Iterator[Finding]:
    """Yield whether the broker answers, and whether its version is one that Headrace knows."""
    origin = _origin(setting)
    try:
        cluster = asyncio.run(_ask(connection))
    except HeadraceError as error:
        yield of_error("broker", error)
        return
    nodes = f"{len(cluster.nodes)} node{'' if len(cluster.nodes) == 1 else 's'} ({', '.join(cluster.nodes)})"
    yield Finding("broker", "ok", f"{connection} answers, {origin}: {nodes}")
    yield release_finding(cluster)


def _origin(setting: Broker | None) -> str:
    if setting is not None and setting.bootstrap:
        return "named by the file"
    return "named by HEADRACE_BROKER" if os.environ.get("HEADRACE_BROKER", "").strip() else "the embedded one"


def release_finding(cluster: Cluster) -> Finding:
    """Return the release: a broker does not tell it, but which requests it takes, and those differ."""
    spoken = f"Fetch {cluster.oldest_fetch} to {cluster.newest_fetch}"
    if cluster.oldest_fetch >= _OLDEST_IN_4:
        return Finding("kafka", "ok", f"4.0 or newer ({spoken})")
    if cluster.newest_fetch >= _NEWEST_IN_3_7:
        return Finding("kafka", "warn", f"3.7 to 3.9 ({spoken}); Headrace is tested with 4.x", "update when you can")
    return Finding("kafka", "warn", f"older than 3.7 ({spoken}); it may not work", "update the broker")


async def _ask(connection: Connection) -> Cluster:
    from aiokafka.client import AIOKafkaClient
    from aiokafka.errors import KafkaError
    from aiokafka.protocol.admin import ApiVersionRequest

    client = None
    try:
        async with asyncio.timeout(_ANSWER_S):
            client = AIOKafkaClient(**connection.options)
            await client.bootstrap()
            nodes = client.cluster.brokers()
            versions = await client.send(next(iter(nodes)).nodeId, ApiVersionRequest())
    except (KafkaError, OSError, ValueError, TimeoutError) as error:
        raise await why_unreachable(connection, error) from None
    finally:
        if client is not None:
            await client.close()
    spoken = {key: (oldest, newest) for key, oldest, newest in versions.api_versions}
    oldest, newest = spoken.get(_FETCH, (0, 0))
    return Cluster(sorted(f"{node.host}:{node.port}" for node in nodes), oldest, newest)
