"""The plan: everything that runs, as immutable data, made from a pipeline file and the installed plugins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from headrace.core.config.broker import Broker
from headrace.core.config.expression import Expression
from headrace.core.config.pipeline import BatchLimits, Delivery, Link, Topics
from headrace.core.errors import Place
from headrace.core.experiments.experiment import Experiment
from headrace.core.options import Options
from headrace.core.plan.stages import GroupPlan, StagePlan
from headrace.core.step import ModelFacts, StepContext, StepSpec, bind
from headrace.core.wire.incoming import Intake
from headrace.core.wire.retry import retry_topic

__all__ = ["InputPlan", "JoinPlan", "ModelPlan", "OutputPlan", "Plan", "Role", "StepPlan", "TopicPlan", "VariantPlan"]

Role = Literal["input", "output", "dead", "heartbeat", "control", "audit", "exposures", "link", "state", "retry"]


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
class VariantPlan:
    """What one variant of an experiment changes; None or nothing where it leaves the base as it is."""

    experiment: str
    name: str
    preprocess: tuple[StepPlan, ...] | None = None
    models: Mapping[str, ModelPlan] = field(default_factory=dict)
    route: StepPlan | None = None
    postprocess: tuple[StepPlan, ...] | None = None

    def stage(self, model: str) -> str:
        """Return the base name of the stage of a model that it changes."""
        return f"{model}.{self.experiment}.{self.name}"


@dataclass(frozen=True)
class InputPlan:
    """The topic that is read, from where, and how its messages become records."""

    topic: str
    codec: StepPlan
    intake: Intake
    start: str
    on_gap: Literal["stop", "continue"]
    place: Place
    max_batch_bytes: int = 64 << 20

    def link(self) -> InputPlan:
        """Return how a link is read: from its beginning, since nothing on it may be passed over."""
        return replace(self, start="earliest")


@dataclass(frozen=True)
class JoinPlan:
    """A parallel decision that a router may take.

    Attributes:
        models: who is asked at once, in the order of the file.
        join: how their answers become one.
        needed: how many answers suffice.
        deadline_ms: how long answers are waited for; None for as long as it takes.
        weights: what each model counts, where it is not 1.
        is_apart: whether answers come from several processes, so that some wait for others.
    """

    models: tuple[str, ...]
    join: str
    needed: int
    deadline_ms: float | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    is_apart: bool = False


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
    """A topic of the pipeline. `partitions` None: as many as the input has.

    `max_bytes` is the largest message that it must take, where that does not follow from the input's own limit.
    """

    name: str
    role: Role
    partitions: int | None
    config: Mapping[str, str] = field(default_factory=dict)
    place: Place | None = None
    max_bytes: int | None = None


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
    groups: Mapping[str, GroupPlan]
    promises: tuple[str, ...]
    registry: str
    broker: Broker = field(default_factory=Broker)
    link: Link = field(default_factory=Link)
    splitter: StepPlan | None = None
    experiments: tuple[Experiment, ...] = ()
    variants: Mapping[tuple[str, str], VariantPlan] = field(default_factory=dict)
    joins: tuple[JoinPlan, ...] = ()
    aliases: Mapping[str, int] = field(default_factory=dict)

    @property
    def dead_topic(self) -> str:
        """The topic of dead letters."""
        return f"{self.pipeline}.dead"

    @property
    def retry_topic(self) -> str:
        """The topic of records that wait to be tried again, where the file has them do so."""
        return retry_topic(self.pipeline)

    @property
    def consumer_group(self) -> str:
        """The consumer group that owns the input's offsets: named after the stage, so regrouping never moves it."""
        return f"{self.pipeline}.ingress"

    @property
    def control_topic(self) -> str:
        """The topic of what is changed while it runs."""
        return f"{self.pipeline}.control"

    @property
    def exposures_topic(self) -> str:
        """The topic that says which unit met which variant."""
        return f"{self.pipeline}.exposures"

    @property
    def keeps_joins(self) -> bool:
        """Whether some records wait at egress for answers from several processes."""
        return any(join.is_apart for join in self.joins)

    @property
    def keeps_turns(self) -> bool:
        """Whether records wait at egress for those of their key before them."""
        return self.delivery.order == "key" and any(topic.role == "link" for topic in self.topics)

    @property
    def keeps_state(self) -> bool:
        """Whether egress keeps records that wait, on a topic of its own."""
        return self.keeps_joins or self.keeps_turns

    def stage(self, name: str) -> StagePlan | None:
        """Return the stage of that name; None when the plan has none."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def model_plans(self) -> Iterator[tuple[str, ModelPlan]]:
        """Yield every model with the base name of its stage: those of the base, then those that variants change."""
        yield from self.models.items()
        for variant in self.variants.values():
            yield from ((variant.stage(name), model) for name, model in variant.models.items())

    def context(
        self, name: str, threads: int = 1, *, version: str | None = None, shard: int | None = None
    ) -> StepContext:
        """Return what the step of that name may know of its surroundings."""
        return StepContext(
            pipeline=self.pipeline,
            name=name,
            registry=self.registry,
            threads=threads,
            batch_tokens=self.batch.max_tokens,
            batch_latency_ms=self.batch.latency,
            version=version,
            models=tuple(self.models),
            experiments=self.experiments,
            shard=shard,
            aliases=self.aliases,
        )
