"""What a router says of a record: which models, how combined, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

__all__ = ["Candidate", "Combine", "Decision", "Join", "decision_fault"]

Combine = Literal["single", "cascade", "parallel", "chain"]
Join = Literal["best", "vote", "average", "first"]


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One model of a decision.

    `accept_if` says when its output ends a cascade: a number is the least `output.score`, a text is a CEL
    expression over `output`; None accepts always. `reads` says what this model of a chain reads instead of the
    record's own text: a dotted path to a text in the output before it, such as `output.summary`. `weight` is what its
    answer counts in a `vote` or an `average`, more than 0. `timeout_ms` is milliseconds of model time. `version`,
    `stage` and `parts` are filled in by the runtime when the record is routed.
    """

    model: str
    version: str | None = None
    accept_if: float | str | None = None
    reads: str | None = None
    timeout_ms: float | None = None
    stage: str | None = None
    parts: int = 1
    weight: float = 1.0

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that it runs in, in order: one, or one a part of a sharded model."""
        base = self.stage or self.model
        return (base,) if self.parts == 1 else tuple(f"{base}.{part + 1}" for part in range(self.parts))


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A router's answer for one record; it travels with the record as a routing slip.

    `propensity` is the probability with which this choice was made (1 for a fixed rule); `scores` are the
    router's figures for each candidate, when it has any. Of a parallel decision `join` says what becomes of the
    answers, `quorum` how many of them suffice (None: all; of `first` one), `deadline_ms` how long the others are
    waited for, from the moment that the record's first batch began.
    """

    combine: Combine
    steps: tuple[Candidate, ...]
    reason: str = ""
    propensity: float | None = None
    scores: Mapping[str, float] | None = None
    join: Join | None = None
    quorum: int | None = None
    deadline_ms: float | None = None
    policy_version: str | None = None
    fallback: str | None = None

    @property
    def needed(self) -> int:
        """How many answers of a parallel decision suffice."""
        if self.join == "first":
            return 1
        return self.quorum if self.quorum is not None else len(self.steps)


def decision_fault(decision: Decision) -> str | None:
    """Return why a decision cannot be followed; None when it can."""
    if not decision.steps:
        return "chose no model"
    return _parallel_fault(decision) if decision.combine == "parallel" else None


def _parallel_fault(decision: Decision) -> str | None:
    models = [each.model for each in decision.steps]
    faults = {
        "asks a model twice at once": len(set(models)) < len(models),
        "asks several models at once and does not say how their answers are joined": decision.join is None,
        f"waits for {decision.needed} answers of {len(models)}": not 1 <= decision.needed <= len(models),
        "gives a model a weight that is not above 0": any(not 0 < it.weight < float("inf") for it in decision.steps),
    }
    return next((fault for fault, is_there in faults.items() if is_there), None)
