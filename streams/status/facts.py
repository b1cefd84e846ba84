"""What is known of a running pipeline at one moment, as plain data that becomes JSON or lines for a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["ModelFacts", "PartitionFacts", "PipelineFacts", "StageFacts", "WorkerFacts"]


@dataclass(frozen=True)
class PartitionFacts:
    """How far a stage has read one partition.

    Attributes:
        partition: its number.
        committed: the first offset that is not read for good; None when the group never committed.
        end: the offset that the next record will get.
        lag: how many wait; None when nobody knows yet where reading begins.
        oldest_s: age of the record that waits longest; None when none does.
        skip: offsets that become dead letters without being tried; None when none does.
        suspects: where the records end that are taken one at a time, since a process died; which of the next message
            was alone in flight, and how often those of it died; None when none is suspect.
    """

    partition: int
    committed: int | None
    end: int
    lag: int | None
    oldest_s: float | None = None
    skip: Mapping[str, Any] | None = None
    suspects: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class StageFacts:
    """A stage that reads a topic.

    Attributes:
        stage: its name.
        topic: what it reads.
        exists: whether the topic is there.
        consumer_group: who owns its offsets.
        state: of that group, in Kafka's words.
        members: of that group: client id, host, partitions.
        lag: how many records (on a link: frames) wait in all partitions.
        oldest_s: age of the one that waits longest; None when none does.
        paused: why it reads nothing, perhaps empty; None when it is not paused.
        partitions: each of them.
    """

    stage: str
    topic: str
    exists: bool
    consumer_group: str
    state: str
    members: tuple[Mapping[str, Any], ...]
    lag: int
    oldest_s: float | None
    paused: str | None
    partitions: tuple[PartitionFacts, ...]


@dataclass(frozen=True)
class WorkerFacts:
    """A worker by its last sign of life.

    `held` partitions wait for a record, `quarantined` steps are left alone; `waiting` is how many records wait at its
    egress for more answers or their turn, `waiting_since` about since when, `waiting_for` one that others of its key
    wait for.
    """

    worker: str
    group: str
    alive: bool
    seen_s: float
    ready: bool
    why: str
    plan: str
    host: str
    pid: int
    waiting: int = 0
    waiting_for: str = ""
    waiting_since: str = ""
    held: Mapping[str, str] = field(default_factory=dict)
    quarantined: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelFacts:
    """What workers say of a version of a model: for each stage and instance, why it is not ready, or None."""

    model: str
    version: str
    stages: Mapping[str, Mapping[str, str | None]]


@dataclass(frozen=True)
class PipelineFacts:
    """All of it. `has_run` is false when the broker has no control topic of this pipeline."""

    pipeline: str
    plan: str
    broker: str
    time: str
    has_run: bool
    stages: tuple[StageFacts, ...]
    workers: tuple[WorkerFacts, ...] = ()
    models: tuple[ModelFacts, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    stopped_models: Mapping[str, str] = field(default_factory=dict)
    stopped_experiments: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)
