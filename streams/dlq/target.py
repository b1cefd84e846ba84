"""Where dead letters are published again, and the topic that remembers it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from headrace.core.plan.plan import Plan
from headrace.core.plan.topics import is_internal
from headrace.core.wire.mark import marks_topic
from headrace.streams.access.admin import admin
from headrace.streams.access.connection import Connection
from headrace.streams.dlq.errors import RedriveTopicError
from headrace.streams.errors import TopicMissingError, TopicRefusedError
from headrace.streams.topic_facts import describe

__all__ = ["Target", "find_target"]

_ALREADY_THERE = 36  # TOPIC_ALREADY_EXISTS: another command was quicker


@dataclass(frozen=True)
class Target:
    """A topic as the broker has it."""

    topic: str
    partitions: int
    limit_bytes: int

    async def ensure_marks(self, plan: Plan, connection: Connection) -> None:
        """Make the topic of marks unless it is there.

        Raises:
            BrokerUnreachableError: HR201.
            TopicMissingError: HR211, it is not there, and the file says not to make topics.
            TopicRefusedError: HR213, the broker refuses to make it.
        """
        from aiokafka.admin import NewTopic

        name = marks_topic(plan.pipeline)
        async with admin(connection) as client:
            if name in await describe(client, [name]):
                return
            if not plan.topic_rules.create:
                fault = f"no topic {name!r}, which remembers what was redriven"
                raise TopicMissingError(fault, mend="create it, with cleanup.policy compact")
            config = {"cleanup.policy": "compact", "retention.ms": "-1"}
            new = NewTopic(name, 1, plan.topic_rules.replication or 1, topic_configs=config)
            if plan.topic_rules.replication is None:
                new.replication_factor = -1  # the broker's default
            for _, code, *reason in (await client.create_topics([new])).topic_errors:
                if code not in (0, _ALREADY_THERE):
                    why = reason[0] if reason and reason[0] else f"error {code}"
                    raise TopicRefusedError(
                        f"the broker refuses to make topic {name!r}: {why}", mend="ask whoever runs the cluster"
                    )
            await describe(client, [name], wait=True)


async def find_target(plan: Plan, connection: Connection, to: str | None) -> Target:
    """Return the topic that letters go to.

    Args:
        plan: the pipeline.
        connection: its broker.
        to: another topic than the pipeline's input; None for that.

    Raises:
        RedriveTopicError: HR447, it is one of Headrace's own.
        BrokerUnreachableError: HR201.
        TopicMissingError: HR211, there is no such topic.
    """
    name = to if to is not None else plan.input.topic
    if is_internal(name, plan.pipeline):
        raise RedriveTopicError(f"topic {name!r} is one of Headrace's own", mend="name a topic of your own")
    if not re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", name):
        raise RedriveTopicError(f"{name!r} is no name of a topic", mend="name a topic of your own")
    async with admin(connection) as client:
        there = await describe(client, [name])
    if name not in there:
        raise TopicMissingError(f"no topic {name!r}", mend="create it, or run the pipeline once")
    return Target(name, there[name].partitions, there[name].max_message_bytes)
