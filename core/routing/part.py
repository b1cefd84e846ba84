"""One branch of a parallel decision as its join sees it: an answer, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headrace.core.errors import RecordError
from headrace.core.failure import Failure
from headrace.core.record import Record
from headrace.core.routing.decision import Candidate, Join
from headrace.core.routing.errors import NotJoinableError
from headrace.core.wire.dead import failure_class

__all__ = ["Part", "failed", "part_of"]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one branch.

    Attributes:
        branch: which candidate of the decision it is from.
        output: what the model said; None when it failed.
        failure: why it has no answer.
        inference_ms: milliseconds of the record's batches in this branch.
        attempt: how many tries the branch took.
    """

    branch: int
    output: Mapping[str, Any] | None = None
    failure: Failure | None = None
    inference_ms: float = 0.0
    attempt: int = 1


def part_of(record: Record) -> Part:
    """Return the part that a copy of a record brings; an answer that cannot be joined counts as a failure."""
    slip = record.slip
    if slip is None or slip.branch is None:
        raise ValueError("the record is no branch of a parallel decision")
    output, failure = record.output, slip.failed
    if failure is None:
        error = _unjoinable(slip.decision.join, slip.decision.steps[slip.branch], output)
        failure = failed(error) if error else None
    return Part(
        branch=slip.branch,
        output=None if failure else output,
        failure=failure,
        inference_ms=record.inference_ms,
        attempt=record.attempt,
    )


def failed(error: RecordError) -> Failure:
    """Return the failure that a join itself finds."""
    message = f"{error.fault}; {error.mend}"
    return Failure(
        code=error.code,
        error=type(error).__name__,
        kind=failure_class(error),
        message=message,
        stage="egress",
        plugin="join",
    )


def _unjoinable(join: Join | None, candidate: Candidate, output: Mapping[str, Any] | None) -> NotJoinableError | None:
    said = output or {}
    if join == "best" and not is_number(said.get("score")):
        return NotJoinableError(f"{candidate.model} gave no score to compare", mend="join by vote or first")
    if join == "vote" and not isinstance(said.get("label"), str):
        return NotJoinableError(f"{candidate.model} gave no label to count", mend="join by best or first")
    if join == "average":
        scores = said.get("scores")
        if not isinstance(scores, Mapping) or not scores or not all(map(is_number, scores.values())):
            return NotJoinableError(f"{candidate.model} gave no scores to average", mend="join by vote or best")
    return None


def is_number(value: object) -> bool:
    """Whether a value can be compared and added: a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0
