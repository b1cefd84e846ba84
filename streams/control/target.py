"""What a command may name in a plan: the stages that read a topic, the models, the experiments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from headrace.core.config.suggestion import suggest
from headrace.core.plan.plan import Plan
from headrace.streams.control.errors import UnknownTargetError

__all__ = ["Reading", "known", "reading", "readings", "refuse_unknown"]


class Reading(NamedTuple):
    """A stage that reads a topic, and the consumer group that owns its offsets."""

    stage: str
    topic: str
    group: str


def readings(plan: Plan) -> tuple[Reading, ...]:
    """Return the stages that read a topic, in a record's order; the others are called by them in the same process."""
    return tuple(
        Reading(stage.name, stage.reads, stage.consumer_group) for stage in plan.stages if stage.reads is not None
    )


def reading(plan: Plan, stage: str) -> Reading:
    """Return the stage of that name.

    Raises:
        UnknownTargetError: HR439, there is none, or it reads no topic.
    """
    found = readings(plan)
    for one in found:
        if one.stage == stage:
            return one
    known = [one.stage for one in found]
    if stage in (one.name for one in plan.stages):
        raise UnknownTargetError(
            f"stage {stage!r} reads no topic: it is called in the process of the stage before it",
            mend=f"name one of {', '.join(known)}, or give it a group of its own",
        )
    raise UnknownTargetError(f"the pipeline has no stage {stage!r}", mend=suggest(stage, known, "stages"))


def known(noun: Literal["model", "experiment"], plan: Plan) -> tuple[str, ...]:
    """Return the names of the models, or of the experiments, of the file."""
    return tuple(plan.models) if noun == "model" else tuple(experiment.id for experiment in plan.experiments)


def refuse_unknown(noun: str, name: str, known: Iterable[str]) -> None:
    """Refuse a name that the pipeline does not have.

    Raises:
        UnknownTargetError: HR439.
    """
    names = tuple(known)
    if name not in names:
        mend = suggest(name, names, f"{noun}s") if names else f"its file has no {noun}s"
        raise UnknownTargetError(f"the pipeline has no {noun} {name!r}", mend=mend)
