"""Topics as the plan says: made when they are missing, refused when they cannot serve, never changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from headrace.core.plan.plan import Plan, TopicPlan
from headrace.core.plan.stages import EGRESS, link_topic
from headrace.core.wire.dead import HEADROOM_BYTES
from headrace.core.wire.kept import state_topic
from headrace.streams.access.admin import ANSWER_S, admin, silence
from headrace.streams.access.connection import Connection
from headrace.streams.access.denial import denial
from headrace.streams.errors import PartitionsError, TopicMissingError, TopicRefusedError
from headrace.streams.topic_facts import DEFAULT_LIMIT_BYTES, DENIED, TopicFacts, describe, reason, widen
from headrace.streams.topic_limits import refuse_limits

__all__ = ["ensure_topics", "joins_of"]

DEFAULT_PARTITIONS = 8

_ALREADY_THERE = 36  # TOPIC_ALREADY_EXISTS: another worker was quicker


async def ensure_topics(plan: Plan, connection: Connection) -> Mapping[str, TopicFacts]:
    """Make the plan's missing topics and return all of them as the broker has them.

    If an earlier plan joined answers of several processes, or let records wait, its topics are among them.

    Raises:
        BrokerUnreachableError: HR201.
        TopicMissingError: HR211, a topic is missing and the plan may not make it.
        PartitionsError: HR212, a topic has other partitions than the plan.
        TopicRefusedError: HR213, the broker refuses.
        TopicLimitError: HR214, a topic takes too little.
        ProblemsError: several do.
        AccessDeniedError: HR243, the broker does not let us look, or make them.
    """
    from aiokafka.errors import KafkaError

    async with admin(connection) as client:
        try:
            there = await _ensured(client, plan)
            left = (*joins_of(plan.pipeline), plan.retry_topic)
            there = {**there, **await describe(client, [name for name in left if name not in there])}
            apps = [group.app_id for group in plan.groups.values()]
            await _greet_coordinators(client, (plan.consumer_group, *apps))
        except KafkaError as error:
            if denial(error, connection) is not None:
                raise  # what `admin` makes of it says more
            raise TopicRefusedError(
                f"the broker does not tell or make topics: {error}", mend="ask whoever runs the cluster"
            ) from None
    refuse_limits(plan, there)
    return there


def joins_of(pipeline: str) -> tuple[str, str]:
    """Return the topics of joins: egress's link, and what waits. A plan without them may have to end another's."""
    return link_topic(pipeline, EGRESS), state_topic(pipeline)


async def _ensured(client: Any, plan: Plan) -> Mapping[str, TopicFacts]:
    names = [topic.name for topic in plan.topics]
    there = await describe(client, names)
    _refuse_partitions(plan, there)
    missing = [topic for topic in plan.topics if topic.name not in there]
    _refuse_missing(plan, missing)
    links = [topic.name for topic in plan.topics if topic.role in ("link", "state", "retry")]
    # The input first: the limits of the others follow from the one that the broker gives it.
    for topics in ([topic for topic in missing if topic.role == "input"], [it for it in missing if it.role != "input"]):
        if topics:
            await _make(client, plan, topics, there)
            there = {**there, **await describe(client, [topic.name for topic in topics], wait=True)}
    width = there[plan.input.topic].partitions
    if any(there[name].partitions < width for name in links):  # the input has grown
        await widen(client, links, width)
        there = {**there, **await describe(client, links)}
    return there


async def _greet_coordinators(client: Any, groups: tuple[str, ...]) -> None:
    """Wait until the groups can be asked for: a new cluster has to make the topic of their offsets first.

    Without it the first lines that a newcomer reads are three errors of aiokafka.
    """
    from aiokafka.errors import GroupAuthorizationFailedError, KafkaError

    deadline = time.monotonic() + ANSWER_S
    for group in groups:
        while time.monotonic() < deadline:
            try:
                with silence():
                    await client.list_consumer_group_offsets(group)
                break
            except GroupAuthorizationFailedError:
                break  # who only publishes need not be allowed; a worker looks at its groups before it joins
            except KafkaError:
                await asyncio.sleep(0.05)


def _refuse_partitions(plan: Plan, there: Mapping[str, TopicFacts]) -> None:
    for topic in plan.topics:
        facts = there.get(topic.name)
        # Dead letters go wherever their key leads; only topics that someone else reads by partition must match.
        if topic.role in ("input", "output") and facts and topic.partitions not in (None, facts.partitions):
            raise PartitionsError(
                f"topic {topic.name!r} has {facts.partitions} partitions, the plan says {topic.partitions}",
                mend=f"write partitions: {facts.partitions}, or leave it out",
                place=topic.place,
            )


def _refuse_missing(plan: Plan, missing: list[TopicPlan]) -> None:
    if missing and not plan.topic_rules.create:
        names = ", ".join(repr(topic.name) for topic in missing)
        raise TopicMissingError(
            f"no topic {names}",
            mend="create it, allow Describe on it, or set topics: {create: true}",
            place=missing[0].place,
        )


async def _make(client: Any, plan: Plan, missing: list[TopicPlan], there: Mapping[str, TopicFacts]) -> None:
    from aiokafka.errors import TopicAuthorizationFailedError

    source = there.get(plan.input.topic)
    width = source.partitions if source else plan.topic_rules.partitions or DEFAULT_PARTITIONS
    limit = source.max_message_bytes if source else DEFAULT_LIMIT_BYTES
    wanted = [_new_topic(topic, topic.partitions or width, limit, plan.topic_rules.replication) for topic in missing]
    response = await client.create_topics(wanted)
    for name, code, *said in response.topic_errors:
        if code == DENIED:
            raise TopicAuthorizationFailedError(name, "Create")
        if code not in (0, _ALREADY_THERE):
            raise TopicRefusedError(
                f"the broker refuses to make topic {name!r}: {reason(code, said)}",
                mend="change topics: in the file, or ask whoever runs the cluster",
            )


def _new_topic(topic: TopicPlan, partitions: int, input_limit: int, replication: int | None) -> Any:
    from aiokafka.admin import NewTopic

    new = NewTopic(topic.name, partitions, replication or 1, topic_configs=_config(topic, input_limit))
    if replication is None:
        new.replication_factor = -1  # the broker's default; the constructor refuses it, the protocol has it (KIP-464)
    return new


def _config(topic: TopicPlan, input_limit: int) -> dict[str, str]:
    if topic.role in ("dead", "retry"):
        return {**topic.config, "max.message.bytes": str(input_limit + HEADROOM_BYTES)}
    if topic.role == "heartbeat":
        return {"retention.ms": "3600000", "segment.ms": "600000"}
    if topic.max_bytes is not None:
        return {**topic.config, "max.message.bytes": str(topic.max_bytes)}
    return dict(topic.config)
