"""Which workers are there: members of consumer groups as the broker sees them, and what workers say themselves."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

from headrace.core.wire.heartbeat import ALIVE_S, Heartbeat, decode_heartbeat
from headrace.streams.coordinator import patiently

__all__ = ["Member", "Membership", "Worker", "memberships", "workers"]

LOOK_BACK_S = 60.0
READ_S = 5.0


class Member(NamedTuple):
    """A consumer in a group: its client id, where it connects from, and the partitions that are its."""

    client_id: str
    host: str
    partitions: tuple[int, ...]


class Membership(NamedTuple):
    """A consumer group: its state in Kafka's words, and its members."""

    state: str
    members: tuple[Member, ...]


class Worker(NamedTuple):
    """A worker as it says of itself.

    Attributes:
        name: its name, or what it calls itself when it has none.
        group: the process group that it works for.
        age_s: seconds since its last sign of life.
        is_alive: whether that is recent.
        beat: what it said then.
    """

    name: str
    group: str
    age_s: float
    is_alive: bool
    beat: Heartbeat


async def memberships(client: Any, groups: Iterable[str]) -> dict[str, Membership]:
    """Return the members of each consumer group; a group that nobody ever joined is `Dead`, as Kafka says."""
    found: dict[str, Membership] = {}
    # One by one: of several groups in one call the broker closes the connection (seen with aiokafka 0.14, Kafka 4.3).
    for name in groups:
        for response in await patiently(partial(client.describe_consumer_groups, [name])):
            for _, group, state, _, _, members, *_ in response.groups:
                found[group] = Membership(state, tuple(sorted(_member(one) for one in members)))
    return found


async def workers(consumer: Any, topics: Iterable[tuple[str, str]]) -> list[Worker]:
    """Return the workers that gave a sign of life in the last minute.

    Args:
        consumer: one of aiokafka, without a group.
        topics: (process group, its heartbeat topic), of topics that exist.
    """
    from aiokafka import TopicPartition

    groups = {TopicPartition(topic, 0): group for group, topic in topics}
    if not groups:
        return []
    now_ms = time.time() * 1000
    since_ms = int(now_ms - LOOK_BACK_S * 1000)
    ends = await consumer.end_offsets(list(groups))
    begins = await consumer.offsets_for_times(dict.fromkeys(groups, since_ms))
    wanted = {one: begins[one].offset for one in groups if begins.get(one) and begins[one].offset < ends[one]}
    newest: dict[tuple[str, str], tuple[int, Heartbeat]] = {}
    consumer.assign(list(wanted))
    for partition, offset in wanted.items():
        consumer.seek(partition, offset)
    deadline = time.monotonic() + READ_S
    while [one for one in wanted if await consumer.position(one) < ends[one]] and time.monotonic() < deadline:
        for partition, records in (await consumer.getmany(timeout_ms=200)).items():
            for record in records:
                if record.key and record.timestamp >= since_ms and (beat := decode_heartbeat(record.value)):
                    name = record.key.decode(errors="backslashreplace")
                    newest[groups[partition], name] = record.timestamp, beat
    return [_worker(name, group, at, beat, now_ms) for (group, name), (at, beat) in sorted(newest.items(), key=_first)]


def _first(pair: tuple[tuple[str, str], object]) -> tuple[str, str]:
    return pair[0]


def _worker(name: str, group: str, at_ms: int, beat: Heartbeat, now_ms: float) -> Worker:
    age_s = max(0.0, (now_ms - at_ms) / 1000)
    return Worker(name, group, age_s, age_s <= ALIVE_S, beat)


def _member(member: tuple[Any, ...]) -> Member:
    _, client_id, host, _, assignment, *_ = member
    return Member(client_id, host.removeprefix("/"), _partitions(assignment))


def _partitions(assignment: bytes) -> tuple[int, ...]:
    from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

    try:
        said = ConsumerProtocolMemberAssignment.decode(assignment).assignment
    except (ValueError, IndexError, EOFError):  # a member that has none yet sends nothing
        return ()
    return tuple(sorted(partition for _, partitions in said for partition in partitions))
