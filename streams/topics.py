"""Topics as the plan says: made when they are missing, refused when they cannot serve, never changed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from headrace.core.errors import ProblemsError
from headrace.core.plan.plan import Plan, TopicPlan
from headrace.core.plan.stages import EGRESS, link_topic
from headrace.core.wire.dead import HEADROOM_BYTES
from headrace.core.wire.state import state_topic
from headrace.streams.access.connection import Connection
from headrace.streams.access.denial import denial, denials
from headrace.streams.access.refusal import why_unreachable
from headrace.streams.errors import (
    PartitionsError,
    TopicLimitError,
    TopicMissingError,
    TopicRefusedError,
)

__all__ = [
    "DEFAULT_LIMIT_BYTES",
    "LARGEST_REQUEST_BYTES",
    "TopicFacts",
    "admin",
    "describe",
    "ensure_topics",
    "silence",
    "widen",
]

ANSWER_S = 6.0  # a broker answers within milliseconds; what listens there and says nothing is none
CLOSE_S = 2.0
DEFAULT_PARTITIONS = 8
DEFAULT_LIMIT_BYTES = 1_048_588
"""Kafka's default for max.message.bytes, used when the broker does not tell."""

LARGEST_REQUEST_BYTES = 100 << 20
"""Kafka's default for socket.request.max.bytes, and what our producers send at most."""

_INVALID_PARTITIONS = 37
_ALREADY_THERE = 36  # TOPIC_ALREADY_EXISTS: another worker was quicker
_UNKNOWN = 3  # UNKNOWN_TOPIC_OR_PARTITION
_DENIED = 29  # TOPIC_AUTHORIZATION_FAILED
_ASKED = ("max.message.bytes", "cleanup.policy")


@dataclass(frozen=True)
class TopicFacts:
    """A topic as the broker has it. A compacted one takes no message without a key."""

    name: str
    partitions: int
    max_message_bytes: int
    is_compacted: bool = False


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
    _refuse_limits(plan, there)
    return there


def joins_of(pipeline: str) -> tuple[str, str]:
    """Return the topics of joins: egress's link, and what waits. A plan without them may have to end another's."""
    return link_topic(pipeline, EGRESS), state_topic(pipeline)


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
    for name, code, *reason in response.topic_errors:
        if code not in (0, _INVALID_PARTITIONS):  # another worker was quicker
            raise TopicRefusedError(
                f"the broker refuses more partitions for {name!r}: {_reason(code, reason)}",
                mend="ask whoever runs the cluster",
            )
    await describe(client, [*narrow], wait=True, width=width)


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
            if code == _DENIED:
                raise TopicAuthorizationFailedError(name, "DescribeConfigs")
            if code == _UNKNOWN:  # of several brokers, the one that is asked may hear of a new topic a moment later
                continue
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


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
    for name, code, *reason in response.topic_errors:
        if code == _DENIED:
            raise TopicAuthorizationFailedError(name, "Create")
        if code not in (0, _ALREADY_THERE):
            raise TopicRefusedError(
                f"the broker refuses to make topic {name!r}: {_reason(code, reason)}",
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


def _reason(code: int, reason: list[str | None]) -> str:
    from aiokafka.errors import for_code

    return (reason[0] if reason and reason[0] else "") or for_code(code).__name__


def _refuse_limits(plan: Plan, there: Mapping[str, TopicFacts]) -> None:
    """Refuse topics that take too little, all of them at once: the first large record would be stuck, or lost."""
    problems = list(_limit_problems(plan, there))
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise ProblemsError(problems)


def _limit_problems(plan: Plan, there: Mapping[str, TopicFacts]) -> Iterator[TopicLimitError]:
    source, dead = there[plan.input.topic], there[plan.dead_topic]
    needed = source.max_message_bytes + HEADROOM_BYTES
    if needed > LARGEST_REQUEST_BYTES:
        most = LARGEST_REQUEST_BYTES - HEADROOM_BYTES
        yield TopicLimitError(
            dead.name,
            limit_bytes=LARGEST_REQUEST_BYTES,
            needed_bytes=needed,
            mend=f"no Kafka request is larger; set max.message.bytes of {source.name!r} to {most} at most",
            place=plan.input.place,
        )
    else:
        names = [dead.name, *(topic.name for topic in plan.topics if topic.role == "retry")]
        small = [there[name] for name in names if there[name].max_message_bytes < needed]
        for facts in small:
            yield TopicLimitError(facts.name, limit_bytes=facts.max_message_bytes, needed_bytes=needed)
    for topic in plan.topics:
        found = there.get(topic.name)
        if topic.max_bytes is not None and found is not None and found.max_message_bytes < topic.max_bytes:
            yield TopicLimitError(topic.name, limit_bytes=found.max_message_bytes, needed_bytes=topic.max_bytes)
