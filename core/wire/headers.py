"""The headers of messages as models: what code writes and what schema and docs say of it are held together by tests.

Kafka's header values are bytes; all of these are UTF-8.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from headrace.core.wire.cloudevents import RESULT_TYPE
from headrace.core.wire.exposure import EXPOSURE_TYPE

__all__ = ["DeadLetterHeaders", "EventHeaders", "ExposureHeaders", "MessageHeaders", "ResultHeaders", "TensorHeaders"]


class _Headers(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="allow", populate_by_name=True)


class MessageHeaders(_Headers):
    """Headers of a message that comes in. None is required; others travel through to the results."""

    ce_id: str | None = Field(default=None, description="with ce_source, the record's id: `ce_source|ce_id`")
    ce_source: str | None = Field(default=None, description="with ce_id, the record's id")
    ce_expirytime: str | None = Field(default=None, description="the deadline, an RFC 3339 time")
    traceparent: str | None = Field(default=None, description="the trace; a broken one is replaced")
    tracestate: str | None = Field(default=None, description="what belongs to the trace")


class TensorHeaders(MessageHeaders):
    """Headers of a message whose value is raw tensors: one of each a tensor, in the order of the bytes, or none."""

    dtype: str | None = Field(
        default=None,
        alias="tensor.dtype",
        description="the tensor's type, `float32` or `FP32`: it has to be the file's",
    )
    shape: str | None = Field(
        default=None,
        alias="tensor.shape",
        description="its shape, such as `3,28`; needed only where more than one axis is free",
    )


class EventHeaders(MessageHeaders):
    """Headers of a CloudEvent in binary mode that comes in."""

    ce_specversion: str = Field(pattern=r"^1\.", description="`1.0`")
    ce_id: str = Field(min_length=1, description="with ce_source, the record's id: `ce_source|ce_id`")
    ce_source: str = Field(min_length=1, description="with ce_id, the record's id")
    ce_type: str = Field(min_length=1, description="what happened; your own")


class _OwnEvent(_Headers):
    ce_specversion: Literal["1.0"] = Field(description="`1.0`")
    ce_source: str = Field(description="`/headrace/PIPELINE`")


class ResultHeaders(_OwnEvent):
    """Headers of a result: a CloudEvent in binary mode. Headers of the message that came in follow them."""

    ce_type: str = Field(description=f"`{RESULT_TYPE}`", json_schema_extra={"const": RESULT_TYPE})
    ce_id: str = Field(
        description="a hash of pipeline, record id and output: the same when a result comes twice, also after a change "
        "of plan"
    )
    ce_time: str = Field(description="when the result was made")
    content_type: Literal["application/json"] = Field(alias="content-type", description="`application/json`")
    traceparent: str = Field(description="the message's, or a new one that depends on the record's id alone")
    tracestate: str | None = Field(default=None, description="the message's, when its `traceparent` stands")


class ExposureHeaders(_OwnEvent):
    """Headers of an exposure: a CloudEvent in binary mode."""

    ce_type: str = Field(description=f"`{EXPOSURE_TYPE}`", json_schema_extra={"const": EXPOSURE_TYPE})
    ce_id: str = Field(
        description="a hash of pipeline, unit, experiment, phase and variant: the same for every message that says so"
    )
    ce_time: str = Field(description="when a worker saw it")
    content_type: Literal["application/json"] = Field(alias="content-type", description="`application/json`")


class DeadLetterHeaders(_Headers):
    """Headers of a dead letter, behind those of the message itself."""

    exception: str = Field(alias="__streams.errors.exception", description="the error's class")
    message: str = Field(alias="__streams.errors.message", description="what is wrong and how to mend it")
    stacktrace: str = Field(
        alias="__streams.errors.stacktrace",
        description="for a plugin's author; empty when the record itself is wrong",
    )
    topic: str = Field(alias="__streams.errors.topic", description="topic of the message")
    partition: str = Field(alias="__streams.errors.partition", pattern=r"^\d+$", description="its partition")
    offset: str = Field(alias="__streams.errors.offset", pattern=r"^\d+$", description="its offset")
    code: str = Field(
        alias="headrace.code", description="the [error code](errors.md); `headrace explain CODE` says more"
    )
    kind: Literal["publisher", "author", "user", "operator", "machine"] = Field(
        alias="headrace.class",
        description="who can mend it: `publisher`, `author`, `user`, `operator` or `machine`",
    )
    stage: str = Field(alias="headrace.stage", description="`ingress`, a model's name, or `egress`")
    plugin: str = Field(alias="headrace.plugin", description="the step that failed")
    attempt: str = Field(alias="headrace.attempt", pattern=r"^\d+$", description="how often it was tried")
    output: str = Field(
        alias="headrace.output",
        description="the output that could not take the result; empty when the record has none at all",
    )
    pipeline: str = Field(alias="headrace.pipeline", description="the pipeline")
    plan: str = Field(alias="headrace.plan", description="the plan that ran")
    time: str = Field(alias="headrace.time", description="when it gave up")
    id: str | None = Field(
        default=None,
        alias="headrace.id",
        description="only of a message that was redriven: the record's id, where its first message lay",
    )
    redriven: str | None = Field(
        default=None, alias="headrace.redriven", pattern=r"^\d+$", description="how often it was redriven, if ever"
    )
    only_output: str | None = Field(
        default=None,
        alias="headrace.only_output",
        description="only of a message that was redriven for one output: the others have its result already",
    )
    original_missing: str | None = Field(
        default=None,
        alias="headrace.original_missing",
        description="only when this is not the whole message: `expired`, since the input no longer has what came over "
        "a link, so that the value is the decoded one; `not unpacked`, since its batch unpacks to too much; or why the "
        "topic would not take it. The headers above say where it lay",
    )
