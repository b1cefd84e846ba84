"""The envelope of a pipeline file: every key that is Headrace's own. Steps stay raw here; their plugins check them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from headrace.core.config.broker import Broker
from headrace.core.config.experiment import ExperimentFile
from headrace.core.config.section import (
    CodecStep,
    ModelStep,
    Name,
    PostprocessStep,
    PreprocessStep,
    RouterStep,
    Section,
    SinkStep,
    SplitterStep,
)
from headrace.core.config.units import Bytes, Milliseconds

__all__ = [
    "BatchLimits",
    "Broker",
    "Delivery",
    "Group",
    "Input",
    "Link",
    "Name",
    "PipelineFile",
    "TopicName",
    "Topics",
]

TopicName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,249}$")]
RESERVED_NAMES = frozenset(("ingress", "egress"))


def _start(value: str) -> str:
    if value not in ("earliest", "latest"):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value!r} is no starting point; write earliest, latest or an ISO 8601 time") from None
    return value


def _dotted(value: str) -> str:
    if not all(value.split(".")):
        raise ValueError(f"{value!r} is not a dotted path; write keys with dots between them, such as review.body")
    return value


DottedPath = Annotated[str, AfterValidator(_dotted)]


class Input(Section):
    """Where records come from and how their messages are read."""

    topic: TopicName = Field(description="topic that publishers write to")
    text: DottedPath | None = Field(default=None, description="dotted path of the text in a JSON object")
    unit: DottedPath | None = Field(default=None, description="dotted path of the unit of experiments, such as a user")
    format: str | None = Field(default=None, description="name of the codec: json (default), text or cloudevents")
    codec: CodecStep = Field(default=None, description="the codec as a step, when it has options")
    start: Annotated[str, AfterValidator(_start)] = Field(
        default="earliest", description="earliest, latest or an ISO 8601 time: where a pipeline that never ran begins"
    )
    on_gap: Literal["stop", "continue"] = Field(
        default="stop", description="what to do when records expired before they were read; never a silent jump"
    )
    max_bytes: Bytes = Field(default=1 << 20, description="largest message accepted; larger ones are dead letters")
    max_batch_bytes: Bytes = Field(
        default=64 << 20,
        ge=1 << 20,
        description="to how much a compressed batch of messages may unpack; one dead letter stands for a larger one",
    )


class Delivery(Section):
    """What is promised of every record."""

    guarantee: Literal["at_least_once", "exactly_once"] = Field(
        default="at_least_once",
        description="whether a crash may make results come twice; exactly_once holds for readers of what is committed",
    )
    commit_every: Milliseconds = Field(
        default=100, description="longest time between two commits under load; with exactly_once at most 5s"
    )
    retries: int = Field(default=3, ge=0, le=20, description="further attempts for a record that a step failed on")
    on_failure: Literal["dead_letter", "fallback", "stop"] = Field(
        default="dead_letter",
        description="what becomes of a record that fails to the end: a dead letter, the fallback as its result, or "
        "the worker stops at it",
    )
    fallback: dict[str, Any] | None = Field(
        default=None, description="with on_failure: fallback, the output of such a result, for example {label: unknown}"
    )
    slow: Literal["dead_letter", "pause", "retry_topic"] = Field(
        default="dead_letter",
        description="what becomes of a record whose error may pass but did not while it was retried: what on_failure "
        "says, its partition pauses and it is tried again, or it waits in a topic while others overtake it",
    )
    patience: Milliseconds = Field(default=600_000, description="how long slow: pause or retry_topic tries one record")
    retry_after: Milliseconds = Field(
        default=10_000, ge=100, description="with slow: retry_topic, how long a record waits until it is tried again"
    )
    quarantine: int = Field(
        default=20,
        ge=0,
        le=1_000_000,
        description="so many records in a row on which a step fails put it into quarantine; 0 never",
    )
    rate: float | None = Field(
        default=None, ge=0.01, le=10_000_000, description="records a second that a worker reads at most; unset: all"
    )
    order: Literal["path", "key"] = Field(
        default="path",
        description="order of one key's results along one path, or over all paths; in one process both hold",
    )
    deadline: Milliseconds | None = Field(default=None, description="records older than this end as expired")


class BatchLimits(Section):
    """How many records go through the steps together."""

    max_records: int = Field(default=64, ge=1, le=10_000, description="most records in a batch")
    max_wait: Milliseconds = Field(
        default=5,
        le=10_000,
        description="least time between two batches of the input: how long one waits to fill where records come thick "
        "and fast; after a quiet time as long a record waits for nobody",
    )
    max_tokens: int = Field(default=8192, ge=1, description="most tokens in one run of a model, padding included")
    latency: Milliseconds | None = Field(
        default=None,
        gt=0,
        description="longest that one run of a model for several texts may take, as measured when a worker starts; a "
        "text that takes longer runs alone; unset: whatever is quickest in all",
    )


class Topics(Section):
    """How topics are made."""

    create: bool = Field(default=True, description="make topics that are missing; false refuses to start without them")
    partitions: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="partitions of the pipeline's topics; unset: those that there are, or 8",
    )
    replication: int | None = Field(default=None, ge=1, le=100, description="replicas; unset: the broker's default")


class Group(Section):
    """Stages that share a process of their own; what no group names is in the group `main`."""

    models: list[str] = Field(default=[], description="models whose stages it runs, all parts and variants of them")
    stages: list[str] = Field(default=[], description="single stages: ingress, egress, or a part such as expert.1")
    replicas: int = Field(default=1, ge=1, le=64, description="workers that `headrace run FILE` starts for it")


class Link(Section):
    """How records travel between processes."""

    max_bytes: Bytes = Field(default=900_000, description="most bytes of records in one message; a larger record alone")
    balance: Literal["key", "least_lag"] = Field(
        default="key",
        description="key: a record keeps its partition, and records of one key their order; least_lag: to the "
        "partition of the next stage that is least behind, when order does not matter",
    )
    tensors: Literal["float32", "float16"] = Field(
        default="float32", description="how the tensors of a sharded model travel; float16 halves them, with an error"
    )


class PipelineFile(Section):
    """A pipeline file, version 1."""

    headrace: Literal[1] = Field(description="version of this format")
    pipeline: Name = Field(description="name of the pipeline; its consumer groups and topics begin with it")
    input: Input
    preprocess: list[PreprocessStep] = Field(
        default=[], description="steps that change records before inference, in order"
    )
    models: dict[Name, ModelStep] = Field(default={}, description="the models, by names of your own that routers use")
    route: RouterStep = Field(default=None, description="the router that chooses models; one model needs none")
    postprocess: list[PostprocessStep] = Field(default=[], description="steps that change outputs, in order")
    output: list[SinkStep] = Field(min_length=1, description="the sinks that deliver results")
    delivery: Delivery = Delivery()
    batch: BatchLimits = BatchLimits()
    topics: Topics = Topics()
    broker: Broker = Broker()
    registry: str | None = Field(default=None, description="where models live: a folder or an fsspec URL")
    experiments: dict[Name, ExperimentFile] = Field(
        default={}, description="who meets what instead of the file's own steps, by names of your own"
    )
    holdout: float = Field(default=0.0, ge=0, le=1, description="share of the units kept out of every experiment")
    splitter: SplitterStep = Field(default=None, description="the step that assigns variants; default: split")
    groups: dict[Name, Group] = Field(
        default={}, description="which stages run in a process of their own; without it one process runs all"
    )
    link: Link = Link()
