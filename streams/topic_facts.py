"""Topics as the broker has them: how wide, and what they take."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headrace.streams.errors import TopicRefusedError

__all__ = ["DEFAULT_LIMIT_BYTES", "DENIED", "LARGEST_REQUEST_BYTES", "TopicFacts", "describe", "reason", "widen"]

DEFAULT_LIMIT_BYTES = 1_048_588
"""Kafka's default for max.message.bytes, used when the broker does not tell."""

LARGEST_REQUEST_BYTES = 100 << 20
"""Kafka's default for socket.request.max.bytes, and what our producers send at most."""

DENIED = 29
"""TOPIC_AUTHORIZATION_FAILED"""

_INVALID_PARTITIONS = 37
_UNKNOWN = 3  # UNKNOWN_TOPIC_OR_PARTITION
_ASKED = ("max.message.bytes", "cleanup.policy")


@dataclass(frozen=True)
class TopicFacts:
    """A topic as the broker has it. A compacted one takes no message without a key."""

    name: str
    partitions: int
    max_message_bytes: int
    is_compacted: bool = False


async def describe(client: Any, names: list[str], *, wait: bool = False, width: int = 1) -> dict[str, TopicFacts]:
    """Return those of the topics that exist; with `wait`, all of them, once the broker's metadata has them so wide."""
    for _ in range(100):
        # All topics are asked for, not these: aiokafka lets the broker make what it is asked about and does not have.
        there = await client.describe_topics(None)
        found = {topic["topic"]: topic for topic in there if topic["topic"] in names and not topic["error_code"]}
        settings = await _settings(client, list(found))
        is_whole = len(found) == len(set(names)) and all(len(it["partitions"]) >= width for it in found.values())
        if settings.keys() == found.keys() and (is_whole or not wait):
            break
        await asyncio.sleep(0.05)  # metadata follows a creation within milliseconds; there is nothing to await
    else:
        absent = ", ".join(sorted(set(names) - set(settings)))
        raise TopicRefusedError(
            f"topics were made but do not appear: {absent}", mend="allow Describe on them, or look at the broker's log"
        )
    return {name: _facts(name, len(topic["partitions"]), settings[name]) for name, topic in found.items()}


def _facts(name: str, partitions: int, settings: Mapping[str, str]) -> TopicFacts:
    limit = int(settings.get("max.message.bytes", DEFAULT_LIMIT_BYTES))
    return TopicFacts(name, partitions, limit, "compact" in settings.get("cleanup.policy", ""))


async def _settings(client: Any, names: list[str]) -> dict[str, dict[str, str]]:
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
    from aiokafka.errors import TopicAuthorizationFailedError

    if not names:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, dict.fromkeys(_ASKED, "")) for name in names]
    found = {}
    for response in await client.describe_configs(asked):
        for code, _, _, name, entries in response.resources:
            if code == DENIED:
                raise TopicAuthorizationFailedError(name, "DescribeConfigs")
            if code == _UNKNOWN:  # of several brokers, the one that is asked may hear of a new topic a moment later
                continue
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


async def widen(client: Any, names: list[str], width: int) -> None:
    """Give topics this many partitions, if they have fewer.

    Raises:
        TopicRefusedError: HR213, the broker refuses.
    """
    from aiokafka.admin import NewPartitions

    there = await describe(client, names)
    narrow = {name: NewPartitions(width) for name, facts in there.items() if facts.partitions < width}
    if not narrow:
        return
    response = await client.create_partitions(narrow)
    for name, code, *said in response.topic_errors:
        if code not in (0, _INVALID_PARTITIONS):  # another worker was quicker
            raise TopicRefusedError(
                f"the broker refuses more partitions for {name!r}: {reason(code, said)}",
                mend="ask whoever runs the cluster",
            )
    await describe(client, [*narrow], wait=True, width=width)


def reason(code: int, said: list[str | None]) -> str:
    """Return why the broker refuses: its words, or the name of its code."""
    from aiokafka.errors import for_code

    return (said[0] if said and said[0] else "") or for_code(code).__name__
