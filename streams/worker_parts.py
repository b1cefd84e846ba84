"""What a worker made before its stages start, and hands to each of them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field

from headrace.core.plan.plan import Plan
from headrace.core.plan.stages import GroupPlan
from headrace.streams.access.connection import Connection
from headrace.streams.alone import Alone
from headrace.streams.drain import Ending
from headrace.streams.gate import Gate
from headrace.streams.health import Health
from headrace.streams.join import Joiner
from headrace.streams.live import Live
from headrace.streams.meter import Meter
from headrace.streams.pipe import Pipe
from headrace.streams.topic_facts import TopicFacts

__all__ = ["WorkerParts"]


@dataclass(frozen=True)
class WorkerParts:
    """What the worker made before its stages start.

    Attributes:
        plan: what runs.
        group: the stages of this process.
        pipe: their opened steps.
        executor: has one thread, so that steps run one batch at a time.
        connection: the broker.
        topics: as the broker has them.
        health: whether the worker is ready.
        meter: its figures.
        live: what may change while it runs.
        gate: opened once the links of an earlier plan are drained; ingress reads nothing before.
        worker: the worker's name; None takes part unnamed.
        instance: what tells this worker from others, also without a name.
        ending: how it is told to end.
        joiner: egress's joins, when it is in this process and has any whose answers come over its link.
        links: topics of stages that the plan calls in this process, and that an earlier one gave a link.
        alone: lets one suspect have the process for itself.
    """

    plan: Plan
    group: GroupPlan
    pipe: Pipe
    executor: Executor
    connection: Connection
    topics: Mapping[str, TopicFacts]
    health: Health
    meter: Meter
    live: Live
    gate: Gate
    worker: str | None
    instance: str
    ending: Ending
    joiner: Joiner | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    alone: Alone = field(default_factory=Alone)
