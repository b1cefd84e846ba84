"""Ask the broker everything that `headrace status` tells; takes part in no consumer group and changes nothing."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

from headrace.core.control import Settings
from headrace.core.plan.plan import Plan
from headrace.core.wire.control import Skip
from headrace.core.wire.journal import Entry
from headrace.streams.access.connection import Connection
from headrace.streams.access.denial import denial
from headrace.streams.control.reader import ControlReader
from headrace.streams.control.target import Reading, readings
from headrace.streams.control.writer import now
from headrace.streams.errors import BrokerUnreachableError
from headrace.streams.observer import Observer
from headrace.streams.offsets import Span, committed, journal, oldest, spans
from headrace.streams.status.facts import ModelFacts, PartitionFacts, PipelineFacts, StageFacts, WorkerFacts
from headrace.streams.status.workers import Membership, Worker, memberships, workers
from headrace.streams.topic_facts import TopicFacts, describe

__all__ = ["gather", "stage_spans"]

NOBODY = Membership("Dead", ())
"""What Kafka says of a group that nobody ever joined."""


async def gather(connection: Connection, plan: Plan) -> PipelineFacts:
    """Return what is known of the pipeline now.

    Raises:
        BrokerUnreachableError: HR201, nobody answers there.
        AccessDeniedError: HR243, the broker does not let us look.
    """
    async with _looking(connection, plan) as look:
        stages, control = _stages(plan, look.topics), f"{plan.pipeline}.control"
        beats = [(group, topic) for group, topic in _heartbeat_topics(plan).items() if topic in look.topics]
        settings = await _settings(connection, plan) if control in look.topics else Settings()
        joined = await memberships(look.client, [one.group for one in stages])
        told = [await look.stage(one, settings, joined.get(one.group, NOBODY)) for one in stages]
        seen = await workers(look.consumer, beats)
    return PipelineFacts(
        pipeline=plan.pipeline,
        plan=plan.hash,
        broker=connection.bootstrap,
        time=now(),
        has_run=control in look.topics,
        stages=tuple(told),
        workers=tuple(_worker(one) for one in seen),
        models=_models(settings),
        aliases=settings.aliases(),
        stopped_models=settings.stopped_models(),
        stopped_experiments=settings.stopped_experiments(),
    )


def _stages(plan: Plan, there: Collection[str]) -> tuple[Reading, ...]:
    """Return the stages that read a topic; records that wait to be tried again have a line of their own."""
    if plan.retry_topic not in there:
        return readings(plan)
    return (*readings(plan), Reading("ingress.retry", plan.retry_topic, plan.consumer_group))


async def stage_spans(connection: Connection, plan: Plan, stage: Reading) -> dict[int, Span]:
    """Return how far one stage has read each partition of its topic; nothing when the topic is not there.

    Raises:
        BrokerUnreachableError: HR201, nobody answers there.
    """
    async with _looking(connection, plan) as look:
        return {partition.partition: span for partition, span in (await look.spans(stage)).items()}


class _Look:
    """One look at the broker: clients for it, and the topics that are there."""

    def __init__(self, plan: Plan, client: Any, consumer: Any, topics: Mapping[str, TopicFacts]) -> None:
        self.plan, self.client, self.consumer, self.topics = plan, client, consumer, topics

    async def spans(self, stage: Reading) -> dict[Any, Span]:
        """Return how far a stage has read each partition."""
        from aiokafka import TopicPartition

        if stage.topic not in self.topics:
            return {}
        partitions = [TopicPartition(stage.topic, number) for number in range(self.topics[stage.topic].partitions)]
        begins_at_start = stage.topic != self.plan.input.topic or self.plan.input.start == "earliest"
        done = await committed(self.client, stage.group)
        return await spans(self.consumer, partitions, done, begins_at_start=begins_at_start)

    async def stage(self, stage: Reading, settings: Settings, membership: Membership) -> StageFacts:
        """Return all that is known of a stage."""
        found = await self.spans(stage)
        begun = await oldest(self.consumer, found)
        said = await journal(self.client, stage.group) if found else {}
        now_ms = time.time() * 1000
        ages = {partition.partition: max(0.0, now_ms - begun_ms) / 1000 for partition, begun_ms in begun.items()}
        skips = settings.skips().get(stage.stage, {})
        return StageFacts(
            stage=stage.stage,
            topic=stage.topic,
            exists=stage.topic in self.topics,
            consumer_group=stage.group,
            state=membership.state,
            members=tuple(member._asdict() for member in membership.members),
            lag=sum(span.lag or 0 for span in found.values()),
            oldest_s=max(ages.values(), default=None),
            paused=settings.paused().get(stage.stage),
            partitions=tuple(
                _partition(one.partition, span, ages.get(one.partition), skips.get(one.partition), said.get(one))
                for one, span in sorted(found.items())
            ),
        )


@asynccontextmanager
async def _looking(connection: Connection, plan: Plan) -> AsyncIterator[_Look]:
    from aiokafka.errors import KafkaError

    names = [one.topic for one in readings(plan)]
    names += [*_heartbeat_topics(plan).values(), f"{plan.pipeline}.control", plan.retry_topic]
    try:
        async with Observer(connection, "status") as observer:
            client = await observer.client()
            yield _Look(plan, client, await observer.consumer(), await describe(client, names))
    except KafkaError as error:
        raise denial(error, connection) or BrokerUnreachableError(
            f"the broker at {connection} does not tell: {type(error).__name__}: {error}",
            mend="look at the broker's log",
        ) from None


async def _settings(connection: Connection, plan: Plan) -> Settings:
    async with ControlReader(connection, plan.pipeline) as reader:
        return await reader.read_whole()


def _partition(
    number: int, span: Span, oldest_s: float | None, skip: Skip | None, entry: Entry | None
) -> PartitionFacts:
    ahead = _ahead(skip, span)
    return PartitionFacts(number, span.committed, span.end, span.lag, oldest_s, ahead, _suspects(entry, span))


def _suspects(entry: Entry | None, span: Span) -> dict[str, Any] | None:
    if entry is None or entry.until is None or ((span.committed or 0) >= entry.until and entry.tick is None):
        return None
    deaths = {**{str(at): count for at, count in entry.deaths.items()}, **entry.timed}
    return {"until": entry.until, "at": entry.at if entry.source is None else entry.source, "deaths": deaths}


def _ahead(skip: Skip | None, span: Span) -> dict[str, Any] | None:
    """Return a skip that is still to come; one that was read past has done its work."""
    if skip is None or (span.next is not None and skip.until <= span.next):
        return None
    return skip.model_dump(by_alias=True, mode="json")


def _worker(worker: Worker) -> WorkerFacts:
    beat = worker.beat
    return WorkerFacts(
        worker=worker.name,
        group=worker.group,
        alive=worker.is_alive,
        seen_s=round(worker.age_s, 1),
        ready=beat.ready,
        why=beat.why,
        plan=beat.plan,
        host=beat.host,
        pid=beat.pid,
        waiting=beat.waiting,
        waiting_for=beat.waiting_for,
        waiting_since=beat.waiting_since,
        held=beat.held,
        quarantined=beat.quarantined,
    )


def _models(settings: Settings) -> tuple[ModelFacts, ...]:
    found: dict[tuple[str, str], dict[str, dict[str, str | None]]] = {}
    for parts, ready in settings.all_ready():
        stages = found.setdefault((parts["model"], parts["version"]), {})
        stages.setdefault(parts["stage"], {})[parts["instance"]] = None if ready.ok else ready.why or "not ready"
    return tuple(ModelFacts(model, version, stages) for (model, version), stages in sorted(found.items()))


def _heartbeat_topics(plan: Plan) -> dict[str, str]:
    return {name: group.heartbeat_topic for name, group in plan.groups.items()}
