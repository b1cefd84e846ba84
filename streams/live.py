"""What may change while a worker runs: versions, phases, what is stopped, paused or skipped. Read by every thread.

A change replaces the whole; nothing is altered in place. A batch looks once, at its beginning, and sees that state to
its end: a record that was tagged with a phase is not routed to the versions of the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from headrace.core.plan.plan import Plan

__all__ = ["Live", "State"]


@dataclass(frozen=True)
class State:
    """A state of everything that may change.

    Attributes:
        versions: base name of a model's stage -> the version that new records are routed to.
        plan: hash of the plan that new records are stamped with.
        phases: experiment -> its phase.
        stopped_models: models that answer no record.
        stopped_experiments: experiments that assign no record.
        paused: stage -> why it reads nothing.
        skips: stage -> partition -> offsets from, until that become dead letters.
        skipped_records: stage -> sources of records that hold up nothing there.
        full: partition of which ingress reads no more for now -> how many records are under way.
    """

    versions: Mapping[str, str]
    plan: str
    phases: Mapping[str, int] = field(default_factory=dict)
    stopped_models: frozenset[str] = frozenset()
    stopped_experiments: frozenset[str] = frozenset()
    paused: Mapping[str, str] = field(default_factory=dict)
    skips: Mapping[str, Mapping[int, tuple[int, int]]] = field(default_factory=dict)
    skipped_records: Mapping[str, frozenset[str]] = field(default_factory=dict)
    full: Mapping[int, int] = field(default_factory=dict)


class Live:
    """Holds the current state of a worker.

    Attributes:
        state: the newest one.
        seen: what the batch sees that is being split and routed now.
    """

    def __init__(self, plan: Plan) -> None:
        self.state = State({base: model.facts.version for base, model in plan.model_plans()}, plan.hash)
        self.seen = self.state

    def look(self) -> None:
        """Let a new batch see the newest state. Called by the thread that runs the batches."""
        self.seen = self.state

    def change(self, **changes: Any) -> None:
        """Replace some of it."""
        self.state = replace(self.state, **changes)
