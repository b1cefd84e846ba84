"""The result of a record: one JSON object, as the public message contract has it."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from headrace.core.experiments.experiment import Assigned
from headrace.core.record import Record

__all__ = [
    "Assignment",
    "Failed",
    "ResultBody",
    "ResultFacts",
    "Route",
    "Source",
    "Spent",
    "Timings",
    "iso_time",
    "key_fields",
    "milliseconds",
    "result_body",
    "served_fields",
]


class _Part(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid")


class Source(_Part):
    """Where the record lay."""

    topic: str = Field(description="topic of the message")
    partition: int = Field(description="its partition")
    offset: int = Field(description="its offset in the partition")


class Route(_Part):
    """How the models were chosen."""

    policy: str = Field(description="the router's name in the pipeline file")
    path: list[str] = Field(
        description="the models that ran, in order; the last one served; of a parallel route those whose answers count"
    )
    reason: str = Field(description="why this model served")
    propensity: float | None = Field(description="probability of this choice; 1 for a fixed rule")
    scores: dict[str, float] | None = Field(
        description="the router's figures for each candidate; of a parallel route the score that each model gave"
    )
    outputs: dict[str, dict[str, Any]] | None = Field(
        default=None,
        description="of a chain: what the models before the last one said; of a parallel route: what each model said "
        "whose answer counts; by name",
    )
    versions: dict[str, str | None] | None = Field(
        default=None, description="only of a parallel route: the version of each model whose answer counts"
    )


class Assignment(_Part):
    """The variant of one experiment that this record met."""

    id: str = Field(description="the experiment")
    phase: int = Field(description="its phase; changed weights open a new one")
    variant: str = Field(description="the variant")


class Failed(_Part):
    """Why a record ended with the fallback."""

    code: str = Field(description="the error code, such as HR501")
    kind: str = Field(alias="class", description="who can mend it: author, publisher, user, operator or machine")
    error: str = Field(description="the error's class")
    stage: str = Field(description="where it failed: ingress, egress, or a model's stage")
    plugin: str = Field(description="the step that failed")


class Timings(_Part):
    """Where the time went, in milliseconds; total runs from the message's Kafka timestamp to its result."""

    queue: float = Field(description="from the message's Kafka timestamp until its batch began")
    preprocess: float = Field(description="decoding, preprocessing and routing of its batch")
    inference: float = Field(description="its batches in all models that it went through")
    postprocess: float = Field(description="postprocessing of its batch")
    total: float = Field(description="from the message's Kafka timestamp to the result")


class ResultBody(_Part):
    """The body of a message on an output topic. Fields are only ever added; a change of meaning is a new version."""

    id: str = Field(description="ce_source|ce_id of the message when it has both, else topic:partition:offset")
    source: Source
    pipeline: str = Field(description="name of the pipeline")
    plan: str = Field(description="hash of the plan that ran")
    key: str | None = Field(description="the message's key; null when it has none or is not UTF-8")
    key_base64: str | None = Field(default=None, description="the key's bytes, only when they are not UTF-8")
    unit: str | None = Field(description="who or what an experiment is about")
    time: datetime = Field(description="when the result was made, UTC")
    status: Literal["ok", "filtered", "expired", "fallback"] = Field(description="how the record ended")
    reason: str | None = Field(
        description="why it was filtered, has expired or ends with the fallback; null when status is ok"
    )
    output: dict[str, Any] | None = Field(description="what the model said, by task")
    model: str | None = Field(
        description="the model that served, by its name in the pipeline file; null for an average of several"
    )
    version: str | None = Field(description="that model's version, for example reviews@1")
    assigned_model: str | None = Field(description="the model the router put first")
    route: Route | None
    experiments: list[Assignment]
    tags: dict[str, str] = Field(description="what steps noted about the record")
    timings: Timings
    attempt: int = Field(description="1 unless the record had to be tried again")
    failure: Failed | None = Field(default=None, description="only when status is fallback: what it failed with")


@dataclass(frozen=True)
class ResultFacts:
    """What all results of a worker share: pipeline and plan hash."""

    pipeline: str
    plan: str


@dataclass(frozen=True)
class Spent:
    """Milliseconds a batch spent before and after its models, and the epoch times at which it began and ended."""

    begun_ms: float
    ended_ms: float
    preprocess_ms: float
    postprocess_ms: float

    def after(self, postprocess_ms: float) -> Spent:
        """Return it with the time that the steps after the models took."""
        return Spent(self.begun_ms, self.ended_ms + postprocess_ms, self.preprocess_ms, postprocess_ms)


def iso_time(epoch_ms: float) -> str:
    """Return the time as ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def result_body(record: Record, facts: ResultFacts, spent: Spent, time: str) -> dict[str, Any]:
    """Return the body of the record's result: exactly the fields of `ResultBody`, as plain values.

    Plain dicts, since building and checking a pydantic model costs more than some models' inference; a test holds
    the two together.
    """
    at = record.source
    body: dict[str, Any] = {
        "id": record.id,
        "source": {"topic": at.topic, "partition": at.partition, "offset": at.offset},
        "pipeline": facts.pipeline,
        "plan": record.plan or facts.plan,
        **key_fields(record.key),
        "unit": record.unit,
        "time": time,
        "status": record.status,
        "reason": record.reason,
        "output": record.output,
        **served_fields(record),
        "experiments": [_assignment(assigned) for assigned in record.experiments],
        "tags": record.tags,
        "timings": _timings(record, spent),
        "attempt": record.attempt,
    }
    return body if record.failure is None else {**body, "failure": dict(record.failure)}


def key_fields(key: bytes | None) -> dict[str, str | None]:
    """Return what a result says of its message's key."""
    if key is None:
        return {"key": None}
    try:
        return {"key": key.decode()}
    except UnicodeDecodeError:
        return {"key": None, "key_base64": b64encode(key).decode()}


def served_fields(record: Record) -> dict[str, Any]:
    """Return what a result says of its models: all of it follows from slip and status."""
    slip = record.slip
    is_served = slip is not None and record.status != "fallback"
    return {
        "model": slip.served_model if slip and is_served else None,
        "version": slip.version if slip and is_served else None,
        "assigned_model": slip.assigned_model if slip else None,
        "route": _route(record),
    }


def milliseconds(ms: float) -> float:
    """Return the time to three decimals; `round` takes five times as long."""
    return int(ms * 1000 + 0.5) / 1000


def _route(record: Record) -> dict[str, Any] | None:
    slip = record.slip
    if slip is None:
        return None
    decision = slip.decision
    route: dict[str, Any] = {
        "policy": slip.policy,
        "path": slip.path,
        "reason": slip.reason,
        "propensity": decision.propensity,
        "scores": slip.joined.scores if slip.joined else decision.scores,
    }
    if slip.outputs:
        route["outputs"] = slip.outputs
    if slip.joined:
        route["versions"] = slip.joined.versions
    return route


def _assignment(assigned: Assigned) -> dict[str, Any]:
    return {"id": assigned.id, "phase": assigned.phase, "variant": assigned.variant}


def _timings(record: Record, spent: Spent) -> dict[str, float]:
    # Kafka says -1 when a producer gave no time; then nobody knows how long the record has waited.
    begun_ms = record.begun_ms or spent.begun_ms  # its own when it began in another process
    arrived_ms = record.timestamp_ms if record.timestamp_ms >= 0 else begun_ms
    return {
        "queue": milliseconds(max(0.0, begun_ms - arrived_ms)),
        "preprocess": milliseconds(record.preprocess_ms if record.begun_ms else spent.preprocess_ms),
        "inference": milliseconds(record.inference_ms),
        "postprocess": milliseconds(spent.postprocess_ms),
        "total": milliseconds(max(0.0, spent.ended_ms - arrived_ms)),
    }
