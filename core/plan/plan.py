"""The plan: everything that runs, as immutable data, made from a pipeline file and the installed plugins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from headrace.core.config.expression import Expression
from headrace.core.config.pipeline import BatchLimits, Delivery, Topics
from headrace.core.errors import Place
from headrace.core.options import Options
from headrace.core.step import ModelFacts, StepContext, StepSpec, bind
from headrace.core.wire.incoming import Intake

__all__ = ["InputPlan", "ModelPlan", "OutputPlan", "Plan", "StagePlan", "StepPlan", "TopicPlan"]


@dataclass(frozen=True)
class StepPlan:
    """A step as the file has it: what makes it, its checked options, and where it stands."""

    name: str
    spec: StepSpec
    options: Options
    place: Place

    def bind(self) -> Any:
        """Return the step, not yet opened."""
        return bind(self.spec, self.options)


@dataclass(frozen=True)
class ModelPlan:
    """A model of the pipeline: its step and what is known without loading it."""

    step: StepPlan
    facts: ModelFacts


@dataclass(frozen=True)
class InputPlan:
    """The topic that is read, from where, and how its messages become records."""

    topic: str
    codec: StepPlan
    intake: Intake
    start: str
    on_gap: Literal["stop", "continue"]
    place: Place


@dataclass(frozen=True)
class OutputPlan:
    """A sink, its name in result ids, and the expression that selects its results."""

    name: str
    step: StepPlan
    topics: tuple[str, ...]
    when: Expression | None
    partitions: int | None = None

    @property
    def takes_unfinished(self) -> bool:
        """Whether it wants filtered and expired records too: only if its `when` speaks of the status."""
        return self.when is not None and "status" in self.when.names


@dataclass(frozen=True)
class TopicPlan:
    """A topic of the pipeline. `partitions` None: as many as the input has."""

    name: str
    role: Literal["input", "output", "dead", "heartbeat"]
    partitions: int | None
    config: Mapping[str, str] = field(default_factory=dict)
    place: Place | None = None


@dataclass(frozen=True)
class StagePlan:
    """The steps between two points where a record may change process. `group` is the consumer group it commits to."""

    name: str
    group: str
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What a pipeline file compiles to."""

    file: str
    pipeline: str
    hash: str
    input: InputPlan
    preprocess: tuple[StepPlan, ...]
    models: Mapping[str, ModelPlan]
    route: StepPlan | None
    postprocess: tuple[StepPlan, ...]
    outputs: tuple[OutputPlan, ...]
    delivery: Delivery
    batch: BatchLimits
    topic_rules: Topics
    topics: tuple[TopicPlan, ...]
    stages: tuple[StagePlan, ...]
    promises: tuple[str, ...]
    registry: str
    bootstrap: str | None

    @property
    def dead_topic(self) -> str:
        """The topic of dead letters."""
        return f"{self.pipeline}.dead"

    @property
    def consumer_group(self) -> str:
        """The consumer group that owns the input's offsets: named after the stage, so regrouping never moves it."""
        return f"{self.pipeline}.ingress"

    @property
    def app_id(self) -> str:
        """The id of the Faust app that hosts the only group."""
        return f"{self.pipeline}.main.app"

    @property
    def heartbeat_topic(self) -> str:
        """The topic that Faust's own agent reads."""
        return f"{self.pipeline}.main.heartbeat"

    def context(self, name: str, threads: int = 1) -> StepContext:
        """Return what the step of that name may know of its surroundings."""
        return StepContext(
            pipeline=self.pipeline,
            name=name,
            registry=self.registry,
            threads=threads,
            batch_tokens=self.batch.max_tokens,
            version=self.models[name].facts.version if name in self.models else None,
            models=tuple(self.models),
        )
