"""Which stages a pipeline has, which process group runs each, and which of them read a link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from headrace.core.step import ModelFacts

__all__ = ["MAIN", "GroupPlan", "StagePlan", "StageSketch", "group_stages", "link_topic", "model_stages"]

MAIN = "main"
"""The group of every stage that the file puts in no other."""

INGRESS, EGRESS = "ingress", "egress"


@dataclass(frozen=True)
class StageSketch:
    """A stage before it has a place: its steps, and for one of a model which, under which change, which part of it.

    Attributes:
        name: `ingress`, `egress`, `<model>`, `<model>.<experiment>.<variant>`, each with `.<part>` when sharded.
        kind: what it does.
        steps: names of its steps, in order.
        base: its name without the part: what a slip's candidate names.
        model: the model's name in the file.
        shard: which part it runs, counted from 0; None when the model is whole.
        shards: how many parts the model has; 1 when it is whole.
    """

    name: str
    kind: Literal["ingress", "model", "egress"]
    steps: tuple[str, ...]
    base: str = ""
    model: str = ""
    shard: int | None = None
    shards: int = 1

    @property
    def is_last(self) -> bool:
        """Whether outputs come from it, not tensors."""
        return self.shard is None or self.shard + 1 == self.shards


@dataclass(frozen=True)
class StagePlan(StageSketch):
    """The steps between two points where a record may change process.

    Attributes:
        group: the process group that runs it.
        consumer_group: the consumer group that owns its offsets: named after the stage, so regrouping moves none.
        reads: the topic that it reads: the input, or its link; None when it is called in the same process only.
    """

    group: str = MAIN
    consumer_group: str = ""
    reads: str | None = None


@dataclass(frozen=True)
class GroupPlan:
    """The stages that share a process. `replicas` is how many workers `run` starts for it."""

    name: str
    pipeline: str
    stages: tuple[StagePlan, ...]
    replicas: int = 1

    @property
    def app_id(self) -> str:
        """The id of the Faust app that hosts it."""
        return f"{self.pipeline}.{self.name}.app"

    @property
    def heartbeat_topic(self) -> str:
        """The topic that Faust's own agent reads."""
        return f"{self.pipeline}.{self.name}.heartbeat"

    @property
    def entries(self) -> tuple[StagePlan, ...]:
        """The stages that read a topic."""
        return tuple(stage for stage in self.stages if stage.reads is not None)


def link_topic(pipeline: str, stage: str) -> str:
    """Return the topic that leads to a stage of another process."""
    return f"{pipeline}.link.{stage}"


def model_stages(base: str, model: str, step: str, facts: ModelFacts) -> tuple[StageSketch, ...]:
    """Return the stages of a model: one, or one a part of a sharded one."""
    count = len(facts.shards)
    if not count:
        return (StageSketch(base, "model", (step,), base, model),)
    return tuple(
        StageSketch(f"{base}.{shard + 1}", "model", (step,), base, model, shard, count) for shard in range(count)
    )


def group_stages(stages: Sequence[StageSketch], written: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the group of each stage.

    Args:
        stages: all of them.
        written: what the file says: group -> names of stages, or of models for all stages of one.

    A part of a sharded model that the file puts nowhere gets a group of its own: that is what it was cut for.
    """
    chosen = {name: group for group, names in written.items() for name in names}
    return {stage.name: _group_of(stage, chosen) for stage in stages}


def _group_of(stage: StageSketch, chosen: Mapping[str, str]) -> str:
    for name in (stage.name, stage.base, stage.model):
        if name and name in chosen:
            return chosen[name]
    return MAIN if stage.shard is None else f"{stage.base.replace('.', '-')}-{stage.shard + 1}"
