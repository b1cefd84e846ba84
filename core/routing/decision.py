"""What a router says of a record: which models, how combined, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

__all__ = ["Candidate", "Combine", "Decision", "Join"]

Combine = Literal["single", "cascade", "parallel", "chain"]
Join = Literal["best", "vote", "average", "first"]


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One model of a decision.

    `accept_if` says when its output ends a cascade: a number is the least `output.score`, a text is a CEL
    expression over `output`; None accepts always. `reads` says what this model of a chain reads instead of the
    record's own text: a dotted path to a text in the output before it, such as `output.summary`. `timeout_ms` is
    milliseconds of model time. `version`, `stage` and `parts` are filled in by the runtime when the record is
    routed.
    """

    model: str
    version: str | None = None
    accept_if: float | str | None = None
    reads: str | None = None
    timeout_ms: float | None = None
    stage: str | None = None
    parts: int = 1


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A router's answer for one record; it travels with the record as a routing slip.

    `propensity` is the probability with which this choice was made (1 for a fixed rule); `scores` are the
    router's figures for each candidate, when it has any.
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
