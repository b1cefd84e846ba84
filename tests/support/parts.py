"""Copies of records as the branches of a parallel decision send them to their join."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from headrace.core.failure import Failure
from headrace.core.record import Position, Record
from headrace.core.routing.decision import Candidate, Decision
from headrace.core.routing.slip import Slip, fan_out
from tests.support.made import HERE, NOON_MS, record

__all__ = ["answered", "asked", "broken", "failure", "parallel", "verdict_facts"]

MODELS = ("a", "b", "c")


def parallel(join: str = "vote", models: Sequence[str] = MODELS, weights: Sequence[float] = (), **said: Any) -> Slip:
    """Return the slip of a record that is to be asked of several models."""
    counts = weights or [1.0] * len(models)
    steps = tuple(
        Candidate(model=name, version=f"{name}@1", weight=count) for name, count in zip(models, counts, strict=True)
    )
    return Slip(policy="parallel", decision=Decision(combine="parallel", steps=steps, join=join, **said))  # type: ignore[arg-type]


def asked(slip: Slip, offset: int = HERE.offset, era: int = 1, **fields: Any) -> list[Record]:
    """Return the copies of a record, one a branch."""
    source = Position(HERE.topic, HERE.partition, offset)
    given = {"id": str(source), "source": source, "era": era, "since": offset, "begun_ms": float(NOON_MS), **fields}
    return [record("text", **{**given, "slip": one}) for one in fan_out(slip)]


def answered(copy: Record, output: Mapping[str, Any], **fields: Any) -> Record:
    """Return a branch's copy with its answer."""
    if copy.slip is None:
        raise ValueError("no slip")
    return copy.replace(output=output, slip=msgspec.structs.replace(copy.slip, at=None), **fields)


def broken(copy: Record, code: str = "HR501") -> Record:
    """Return a branch's copy that failed."""
    if copy.slip is None:
        raise ValueError("no slip")
    return copy.replace(output=None, slip=msgspec.structs.replace(copy.slip, at=None, failed=failure(code)))


def failure(code: str = "HR501") -> Failure:
    """Return why a model failed."""
    return Failure(code=code, error="ValueError", kind="author", message="it hurts", stage="a", plugin="echo")


def verdict_facts(record: Record, failure: Failure | None) -> Any:
    """Return what is told of a record's end, as values that can be compared."""
    slip = record.slip
    if failure is not None or slip is None or slip.joined is None:
        return failure and (failure.code, failure.message)
    return record.output, slip.path, slip.reason, slip.served_model, slip.version, slip.joined, slip.outputs
