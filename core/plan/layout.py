"""Where everything runs: the stages of a pipeline, their process groups, and the links between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from headrace.core.config.document import Document
from headrace.core.config.errors import GroupError, LinkSizeError
from headrace.core.config.pipeline import Group, PipelineFile
from headrace.core.config.suggestion import suggest
from headrace.core.errors import HeadraceError
from headrace.core.plan.flow import Flow, FlowReader
from headrace.core.plan.plan import ModelPlan, OutputPlan, StepPlan, TopicPlan
from headrace.core.plan.stages import (
    EGRESS,
    INGRESS,
    MAIN,
    GroupPlan,
    StagePlan,
    StageSketch,
    group_stages,
    link_topic,
    model_stages,
)
from headrace.core.plan.ways import model_orders, ways

__all__ = ["Layout", "link_topics", "sketch_stages"]

HEADROOM_BYTES = 64 * 1024
LARGEST_BYTES = 64 << 20
"""Kafka takes no request over 100 MiB (socket.request.max.bytes)."""

LINK_CONFIG = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "compression.type": "producer",
}
"""Never lost however long a stage is down; what has been read is deleted by the reader."""

JOINED_CONFIG = {**LINK_CONFIG, "message.timestamp.type": "LogAppendTime"}
"""The broker's clock says which answer came in time: so it is the same whenever, and by whomever, the link is read."""


def sketch_stages(
    flow: Flow, codec: StepPlan, splitter: StepPlan | None, outputs: Sequence[OutputPlan]
) -> list[StageSketch]:
    """Return the stages in the order of a record's way."""
    split = (splitter,) if splitter else ()
    route = (flow.route,) if flow.route else ()
    before = (codec, *split, *flow.preprocess, *route)
    after = (*flow.postprocess, *(output.step for output in outputs))
    models = [
        stage
        for base, name, plan in _models(flow)
        for stage in model_stages(base, name, plan.step.spec.name, plan.facts)
    ]
    return [
        StageSketch(INGRESS, "ingress", tuple(step.name for step in before), INGRESS),
        *models,
        StageSketch(EGRESS, "egress", tuple(step.name for step in after), EGRESS),
    ]


class Layout:
    """Lays out one document's stages; what is wrong with its `groups` goes to the document's problems."""

    def __init__(self, document: Document, envelope: PipelineFile, flow: Flow, sketches: Sequence[StageSketch]) -> None:
        self._document, self._envelope, self._flow, self._sketches = document, envelope, flow, sketches

    def stages(self, reader: FlowReader) -> tuple[StagePlan, ...]:
        """Return the stages with their groups and what they read."""
        self._document.problems.extend(self._problems())
        written = {name: (*group.models, *group.stages) for name, group in self._envelope.groups.items()}
        groups = group_stages(self._sketches, written)
        links = self._linked(groups, reader)
        return tuple(self._stage(sketch, groups[sketch.name], sketch.name in links) for sketch in self._sketches)

    def groups(self, stages: Sequence[StagePlan]) -> Mapping[str, GroupPlan]:
        """Return the groups that have stages, the one of ingress first."""
        names = dict.fromkeys(stage.group for stage in stages)
        return {name: self._group(name, stages) for name in names}

    def _group(self, name: str, stages: Sequence[StagePlan]) -> GroupPlan:
        own = tuple(stage for stage in stages if stage.group == name)
        replicas = self._envelope.groups.get(name, Group()).replicas
        return GroupPlan(name, self._envelope.pipeline, own, replicas)

    def _stage(self, sketch: StageSketch, group: str, is_linked: bool) -> StagePlan:
        pipeline = self._envelope.pipeline
        reads = self._envelope.input.topic if sketch.kind == "ingress" else None
        return StagePlan(
            **vars(sketch),
            group=group,
            consumer_group=f"{pipeline}.{sketch.name}",
            reads=link_topic(pipeline, sketch.name) if is_linked else reads,
        )

    def _linked(self, groups: Mapping[str, str], reader: FlowReader) -> set[str]:
        """Return the stages that a record may reach from another process."""
        flow, models = self._flow, tuple(self._flow.models)
        orders = model_orders(
            flow.route, flow.models, flow.variants.values(), lambda name: reader.context(name, models)
        )
        return {after for before, after in ways(self._sketches, orders) if groups[before] != groups[after]}

    def _problems(self) -> Iterator[HeadraceError]:
        stages = {stage.name: stage for stage in self._sketches}
        known = {"models": tuple(self._flow.models), "stages": (*stages, *(it.base for it in self._sketches))}
        taken: dict[str, str] = {}
        for name, group in self._envelope.groups.items():
            for kind, names in (("models", group.models), ("stages", group.stages)):
                for at, one in enumerate(names):
                    place = self._document.place(("groups", name, kind, at))
                    if one not in known[kind]:
                        mend = suggest(one, sorted(set(known[kind])), kind)
                        yield GroupError(
                            f"group {name!r} names {one!r}, which is none of the {kind}", mend=mend, place=place
                        )
                    elif one in taken:
                        yield GroupError(
                            f"{one!r} is in group {taken[one]!r} already", mend="name it in one group", place=place
                        )
                    taken.setdefault(one, name)
            if not group.models and not group.stages and name != MAIN:
                place = self._document.key_place(("groups", name))
                yield GroupError(f"group {name!r} has no stages", mend="name models or stages in it", place=place)


def link_topics(
    pipeline: PipelineFile, stages: Sequence[StagePlan], flow: Flow, document: Document, input_bytes: int = 0
) -> tuple[TopicPlan, ...]:
    """Return the topics between processes, each large enough for the largest single record.

    Args:
        pipeline: the file's own keys.
        stages: all stages.
        flow: the models.
        document: takes what is wrong.
        input_bytes: the most that tensors of the input take.
    """
    facts = {base: plan.facts for base, _, plan in _models(flow)}
    halved = 2 if pipeline.link.tensors == "float16" else 1
    topics = []
    for stage in stages:
        if stage.reads is None or stage.kind == "ingress":
            continue
        shards = facts[stage.base].shards if stage.base in facts else ()
        tensors = shards[stage.shard - 1].bytes_per_record // halved if stage.shard else 0
        # The value, the text that was made of it, and headers, each of which may be about as large as a message.
        largest = 3 * pipeline.input.max_bytes + tensors + input_bytes + HEADROOM_BYTES
        if largest > LARGEST_BYTES:
            fault = f"one record may take {largest:,} bytes on the link to {stage.name}; Kafka takes {LARGEST_BYTES:,}"
            mend = "lower the model's max_tokens or input.max_bytes, or set link: {tensors: float16}"
            document.problems.append(LinkSizeError(fault, mend=mend, place=document.key_place(("link",))))
        limit = max(pipeline.link.max_bytes + HEADROOM_BYTES, largest)
        config = JOINED_CONFIG if stage.kind == "egress" else LINK_CONFIG
        topics.append(TopicPlan(stage.reads, "link", None, config, max_bytes=limit))
    return tuple(topics)


def _models(flow: Flow) -> Iterator[tuple[str, str, ModelPlan]]:
    """Yield the base name of each model's stage, the model's name, and what is known of it."""
    for name, plan in flow.models.items():
        yield name, name, plan
    for variant in flow.variants.values():
        for name, plan in variant.models.items():
            yield variant.stage(name), name, plan
