"""Exposures: which unit met which variant, on a topic of its own, where analysis begins."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from headrace.core.experiments.experiment import Assigned
from headrace.core.record import Headers, Outgoing, Record
from headrace.core.wire.cloudevents import constant_headers
from headrace.core.wire.json import encode
from headrace.core.wire.result import iso_time

__all__ = ["EXPOSURE_TYPE", "ExposureBody", "exposure", "exposure_id", "exposure_topic"]

EXPOSURE_TYPE = "headrace.exposure.v1"


class ExposureBody(BaseModel):
    """The body of a message on `<pipeline>.exposures`. Fields are only ever added."""

    model_config = ConfigDict(defer_build=True, extra="forbid")

    unit: str = Field(description="who or what met the variant; the message's key, too")
    experiment: str = Field(description="the experiment; `holdout` for units that are kept out of all")
    phase: int = Field(description="its phase; changed weights open a new one")
    variant: str = Field(description="the variant; `held-out` for the holdout")
    time: datetime = Field(
        description="when a worker saw it, UTC; of several messages with one ce_id the earliest counts"
    )
    pipeline: str = Field(description="name of the pipeline")
    plan: str = Field(description="hash of the plan that ran")
    id: str = Field(description="id of the record by which it was seen")


def exposure_topic(pipeline: str) -> str:
    """Return the topic of a pipeline's exposures."""
    return f"{pipeline}.exposures"


def exposure_id(pipeline: str, unit: str, assigned: Assigned) -> str:
    """Return the `ce_id` of an exposure: the same whichever record, worker or delivery it comes from."""
    facts = "\x1f".join((pipeline, unit, assigned.id, str(assigned.phase), assigned.variant))
    return blake2b(facts.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def exposure(record: Record, assigned: Assigned, pipeline: str, now_ms: float) -> Outgoing:
    """Return the message that says that a record's unit met a variant.

    Args:
        record: has a unit, or it would have met nothing.
        assigned: what it met.
        pipeline: the pipeline's name.
        now_ms: epoch milliseconds.
    """
    unit, time = record.unit or "", iso_time(now_ms)
    # Plain, as results are; a test holds it and its model together.
    body: dict[str, Any] = {
        "unit": unit,
        "experiment": assigned.id,
        "phase": assigned.phase,
        "variant": assigned.variant,
        "time": time,
        "pipeline": pipeline,
        "plan": record.plan,
        "id": record.id,
    }
    headers: Headers = (
        *constant_headers(pipeline, EXPOSURE_TYPE),
        ("ce_id", exposure_id(pipeline, unit, assigned).encode()),
        ("ce_time", time.encode()),
    )
    return Outgoing(exposure_topic(pipeline), unit.encode("utf-8", "surrogatepass"), encode(body), headers)
