"""The routing slip of a record: the decision, how far it has come, and who served it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from headrace.core.failure import Failure
from headrace.core.routing.decision import Candidate, Decision

__all__ = ["Accepts", "Joined", "Slip", "advance", "ends_alike", "fan_out", "next_part", "pass_over"]

Accepts = Callable[[str, Mapping[str, Any]], bool]
"""Evaluates a CEL `accept_if` over an output."""


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of the answers that a join made one of.

    Attributes:
        served: the model whose output stands; None when it is nobody's alone.
        versions: the version of each model that answered.
        scores: the score that each of them gave, where it gave one.
    """

    served: str | None
    versions: Mapping[str, str | None]
    scores: Mapping[str, float]


class Slip(msgspec.Struct, frozen=True, kw_only=True):
    """A decision under way.

    Attributes:
        policy: the router's name.
        decision: what it decided.
        at: index of the next candidate; None once a model's output was accepted.
        path: the models that ran, in order.
        reason: why the last of them served, or did not; empty before the first.
        outputs: of a chain, what each model before the last one said, by the model's name; of a parallel decision,
            what each model said that was joined.
        text: of a chain, the record's own text while a model reads another's output; else None.
        part: which part of a sharded model comes next, counted from 0.
        version: the version of the model that ran last.
        branch: of a parallel decision, which candidate this copy of the record is for, until they are joined.
        failed: why this branch has no answer, or why the record ends as a dead letter: only egress ends it then.
        joined: what is told of the answers of a parallel decision, once they are joined.
    """

    policy: str
    decision: Decision
    at: int | None = 0
    path: tuple[str, ...] = ()
    reason: str = ""
    outputs: Mapping[str, Mapping[str, Any]] = {}
    text: str | None = None
    part: int = 0
    version: str | None = None
    branch: int | None = None
    failed: Failure | None = None
    joined: Joined | None = None

    @property
    def next(self) -> Candidate | None:
        """The model that must run now; None when the decision is done."""
        return None if self.at is None else self.decision.steps[self.at]

    @property
    def next_stage(self) -> str | None:
        """The stage that must run now: that of the model, or of its next part; None when the decision is done."""
        if self.at is None:
            return None
        candidate = self.decision.steps[self.at]
        return (candidate.stage or candidate.model) if candidate.parts == 1 else candidate.stages[self.part]

    @property
    def assigned_model(self) -> str | None:
        """The model the router put first."""
        return self.decision.steps[0].model if self.decision.steps else None

    @property
    def served_model(self) -> str | None:
        """The model whose output stands; None when there is none, or it was made of several."""
        if self.joined is not None:
            return self.joined.served
        return self.path[-1] if self.path else None


def fan_out(slip: Slip) -> tuple[Slip, ...]:
    """Return the slips of the copies of a record that a parallel decision sends to its models at once."""
    return tuple(msgspec.structs.replace(slip, at=at, branch=at) for at in range(len(slip.decision.steps)))


def next_part(slip: Slip) -> Slip:
    """Return the slip after a part of a sharded model that is not the last one."""
    return msgspec.structs.replace(slip, part=slip.part + 1)


def pass_over(slip: Slip) -> Slip | None:
    """Return the slip without the answer of its next candidate, whose model is stopped.

    A cascade goes on to the candidate after it, or ends with what the one before it said; None when nobody can answer.
    """
    at, steps = slip.at or 0, slip.decision.steps
    is_last = at + 1 == len(steps)
    if slip.decision.combine != "cascade" or (is_last and not slip.path):
        return None
    reason = slip.reason or f"{steps[at].model} is stopped"
    return msgspec.structs.replace(slip, at=None if is_last else at + 1, reason=reason, part=0)


def ends_alike(slip: Slip) -> bool:
    """Whether the slip comes to the same end whatever its next candidate says."""
    candidate = slip.decision.steps[slip.at or 0]
    is_scored = isinstance(candidate.accept_if, float | int) and not slip.reason
    return slip.decision.combine == "single" and slip.text is None and not is_scored


def advance(slip: Slip, output: Mapping[str, Any], accepts: Accepts) -> Slip:
    """Return the slip after its next candidate gave this output: done, or on to the candidate after it."""
    at = slip.at or 0
    candidate = slip.decision.steps[at]
    path = (*slip.path, candidate.model)
    last = at + 1 == len(slip.decision.steps)
    if slip.decision.combine == "chain" and not last:
        outputs = {**slip.outputs, candidate.model: output}
        return msgspec.structs.replace(slip, at=at + 1, path=path, outputs=outputs, part=0, version=candidate.version)
    if last or slip.decision.combine in ("single", "parallel") or _is_accepted(candidate, output, accepts):
        reason = _why_served(slip, candidate, output)
        return msgspec.structs.replace(slip, at=None, path=path, reason=reason, part=0, version=candidate.version)
    reason = _why_passed_on(candidate, output)
    return msgspec.structs.replace(slip, at=at + 1, path=path, reason=reason, part=0, version=candidate.version)


def _is_accepted(candidate: Candidate, output: Mapping[str, Any], accepts: Accepts) -> bool:
    rule = candidate.accept_if
    if rule is None:
        return True
    if isinstance(rule, str):
        return accepts(rule, output)
    score = output.get("score")
    return score is not None and bool(score >= rule)


def _why_served(slip: Slip, candidate: Candidate, output: Mapping[str, Any]) -> str:
    if slip.reason:  # the model before was not sure: that is why this one was asked at all
        return slip.reason
    score = output.get("score")
    if isinstance(candidate.accept_if, float | int) and score is not None:
        return f"{candidate.model} scored {score:g}, at least {candidate.accept_if:g}"
    return slip.decision.reason


def _why_passed_on(candidate: Candidate, output: Mapping[str, Any]) -> str:
    if isinstance(candidate.accept_if, str):
        return f"{candidate.model} did not satisfy {candidate.accept_if}"
    score = output.get("score")
    if score is None:
        return f"{candidate.model} gave no score"
    return f"{candidate.model} scored {score:g}, less than {candidate.accept_if:g}"
