"""From a pipeline file to its plan, or to everything that is wrong with it, at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from headrace.core.catalog import Catalog, installed_catalog
from headrace.core.config.broker import from_folder
from headrace.core.config.document import Document, Path_, read_document
from headrace.core.config.errors import (
    InvalidValueError,
    MissingKeyError,
    UnsetVariableError,
)
from headrace.core.config.expression import Expression, compile_expression
from headrace.core.config.pipeline import Delivery, Input, PipelineFile
from headrace.core.config.problem import problems_of
from headrace.core.errors import HeadraceError, Place, ProblemsError
from headrace.core.experiments.experiment import Experiment
from headrace.core.plan.broker import broker_problems
from headrace.core.plan.experiments import experiment_problems, read_experiments
from headrace.core.plan.feeding import feeding_problems, reads_text
from headrace.core.plan.fingerprint import fingerprint
from headrace.core.plan.flow import Flow, FlowReader
from headrace.core.plan.joins import join_problems, plan_joins, state_topics
from headrace.core.plan.layout import Layout, link_topics, sketch_stages
from headrace.core.plan.plan import InputPlan, JoinPlan, OutputPlan, Plan, StepPlan, TopicPlan, VariantPlan
from headrace.core.plan.promise import promises
from headrace.core.plan.stages import GroupPlan, StagePlan
from headrace.core.plan.steps import StepReader
from headrace.core.plan.topics import plan_topics, topic_problems
from headrace.core.step import StepContext, given_tensors
from headrace.core.tensor import most_bytes
from headrace.core.wire.incoming import Intake
from headrace.core.wire.result import ResultBody

__all__ = ["compile_file"]

LONGEST_TRANSACTION_MS = 5_000  # half of what the broker waits for before it aborts one


def compile_file(
    file: Path,
    *,
    registry: str,
    catalog: Catalog | None = None,
    environ: Mapping[str, str] | None = None,
    aliases: Mapping[str, int] | None = None,
) -> Plan:
    """Return the plan of a pipeline file. Reads the file and the models' manifests; asks no broker.

    Args:
        file: the pipeline file.
        registry: where models live, unless the file says otherwise.
        catalog: the steps there are; those of the installed plugins unless given.
        environ: what `${NAME}` reads; the process's environment unless given.
        aliases: aliases that were moved while the pipeline ran: `reviews@prod` -> version. They go before the
            registry's.

    Raises:
        FileUnreadableError: HR103.
        YamlSyntaxError: HR101.
        ProblemsError: everything else that is wrong, by line.
    """
    document = read_document(file, os.environ if environ is None else environ)
    compiler = _Compiler(document, catalog or installed_catalog(), registry, aliases or {})
    plan = compiler.compile()
    if plan is None or document.problems:
        raise ProblemsError(_in_line_order(document.problems))
    return plan


def _in_line_order(problems: list[HeadraceError]) -> list[HeadraceError]:
    """What stands behind an alias is found as often as it is used, and is said once; so is an unset variable."""
    unset = {problem.place for problem in problems if isinstance(problem, UnsetVariableError)}
    once = {(problem.place, problem.code, problem.mend): problem for problem in reversed(problems)}
    said = (it for it in once.values() if not (isinstance(it, InvalidValueError) and it.place in unset))
    return sorted(said, key=lambda problem: problem.place or Place(""))


class _Read(NamedTuple):
    """What a file says, before it is laid out."""

    envelope: PipelineFile
    source: InputPlan
    flow: Flow
    outputs: tuple[OutputPlan, ...]
    splitter: StepPlan | None
    experiments: tuple[Experiment, ...]


class _Compiler:
    """Compiles one document. Each part is read even when another is wrong, so that all problems show at once."""

    def __init__(self, document: Document, catalog: Catalog, registry: str, aliases: Mapping[str, int]) -> None:
        self._document = document
        self._steps = StepReader(document, catalog)
        self._registry = self._registry_location(registry)
        self._aliases = aliases
        self._reader = FlowReader(document, self._steps, self._registry, aliases)

    def compile(self) -> Plan | None:
        read = self._read()
        if read is None:
            return None
        envelope, flow = read.envelope, read.flow
        sketches = sketch_stages(flow, read.source.codec, read.splitter, read.outputs)
        layout = Layout(self._document, envelope, flow, sketches)
        stages = layout.stages(self._reader)
        groups = layout.groups(stages)
        tensors = most_bytes(given_tensors(read.source.codec.bind()), read.source.intake.max_bytes)
        links = link_topics(envelope, stages, flow, self._document, tensors)
        self._note(self._guarantee_problems(envelope))
        self._note(self._fallback_problems(envelope.delivery))
        self._note(self._retry_problems(envelope.delivery))
        topics = plan_topics(
            envelope.pipeline,
            read.source,
            read.outputs,
            envelope.topics,
            groups=groups,
            has_experiments=bool(read.experiments),
            has_retries=envelope.delivery.slow == "retry_topic",
        )
        joins = self._joins(flow, stages)
        states = state_topics(envelope.pipeline, joins, links, in_turn=envelope.delivery.order == "key")
        return self._plan(read, stages, groups, (*topics, *links, *states), joins)

    def _read(self) -> _Read | None:
        """Return what the file says, or None when too little of it can be read to lay anything out."""
        envelope = self._envelope()
        self._note(broker_problems(self._document, envelope))
        codec = self._codec()
        flow = self._reader.base()
        outputs = tuple(self._outputs())
        if envelope is None or codec is None:
            return None
        self._note(experiment_problems(self._document, envelope))
        experiments = read_experiments(self._document, envelope)
        flow = replace(flow, variants=self._variants(envelope))
        splitter = self._splitter(envelope)
        self._note(feeding_problems(self._document, envelope, codec, flow))
        self._note(topic_problems(envelope.pipeline, envelope.input.topic, self._place("input", "topic"), outputs))
        return _Read(envelope, self._input(envelope, codec, flow), flow, outputs, splitter, experiments)

    def _plan(
        self,
        read: _Read,
        stages: tuple[StagePlan, ...],
        groups: Mapping[str, GroupPlan],
        topics: tuple[TopicPlan, ...],
        joins: tuple[JoinPlan, ...],
    ) -> Plan:
        envelope, source, flow, outputs, splitter, experiments = read
        return Plan(
            file=self._document.file,
            pipeline=envelope.pipeline,
            hash=fingerprint(
                envelope.pipeline,
                source,
                flow,
                outputs,
                experiments=experiments,
                splitter=splitter,
                fallback=envelope.delivery.fallback,
            ),
            input=source,
            preprocess=flow.preprocess,
            models=flow.models,
            route=flow.route,
            postprocess=flow.postprocess,
            outputs=outputs,
            delivery=envelope.delivery,
            batch=envelope.batch,
            topic_rules=envelope.topics,
            topics=topics,
            stages=stages,
            groups=groups,
            promises=promises(
                envelope.delivery, envelope.link, is_linked=any(topic.role == "link" for topic in topics), joins=joins
            ),
            registry=self._registry,
            broker=from_folder(envelope.broker, Path(self._document.file).parent),
            link=envelope.link,
            splitter=splitter,
            experiments=experiments,
            variants=flow.variants,
            joins=joins,
            aliases=self._aliases,
        )

    def _joins(self, flow: Flow, stages: Sequence[StagePlan]) -> tuple[JoinPlan, ...]:
        def context(name: str) -> StepContext:
            return self._reader.context(name, tuple(flow.models))

        self._note(join_problems(flow, context))
        return plan_joins(flow, context, stages)

    def _variants(self, envelope: PipelineFile) -> dict[tuple[str, str], VariantPlan]:
        return {
            (experiment, variant): self._reader.variant(experiment, variant)
            for experiment, written in envelope.experiments.items()
            for variant in written.variants
        }

    def _splitter(self, envelope: PipelineFile) -> StepPlan | None:
        if not envelope.experiments and not envelope.holdout:
            return None
        if envelope.splitter is not None:
            return self._steps.read("splitter", ("splitter",))
        return self._steps.default("splitter", "split", self._document.key_place(("experiments",)))

    def _guarantee_problems(self, envelope: PipelineFile) -> Iterator[HeadraceError]:
        delivery = envelope.delivery
        if delivery.guarantee == "exactly_once" and delivery.commit_every > LONGEST_TRANSACTION_MS:
            yield InvalidValueError(
                "with guarantee: exactly_once a commit cannot wait so long, since no result is seen before it",
                mend=f"write at most {LONGEST_TRANSACTION_MS // 1000}s",
                place=self._place("delivery", "commit_every"),
            )

    def _retry_problems(self, delivery: Delivery) -> Iterator[HeadraceError]:
        if delivery.slow == "retry_topic" and delivery.order == "key":
            yield InvalidValueError(
                "with order: key no record may overtake another of its key, as they do while one waits aside",
                mend="write slow: pause, or order: path",
                place=self._document.key_place(("delivery", "slow")),
            )

    def _fallback_problems(self, delivery: Delivery) -> Iterator[HeadraceError]:
        if delivery.on_failure == "fallback" and delivery.fallback is None:
            yield MissingKeyError(
                "on_failure: fallback needs the output that records get",
                mend="add one, such as fallback: {label: unknown, score: 0}",
                place=self._document.key_place(("delivery", "on_failure")),
            )
        if delivery.on_failure != "fallback" and delivery.fallback is not None:
            yield InvalidValueError(
                "there is a fallback that nothing uses",
                mend="add on_failure: fallback, or remove it",
                place=self._document.key_place(("delivery", "fallback")),
            )

    def _note(self, problems: Iterator[HeadraceError]) -> None:
        self._document.problems.extend(problems)

    def _place(self, *path: str | int) -> Place:
        return self._document.place(path)

    def _envelope(self) -> PipelineFile | None:
        value = self._document.value
        if not isinstance(value, dict):
            self._document.problems.append(
                InvalidValueError(
                    "the file holds no pipeline",
                    mend="begin with `headrace: 1`, or use `headrace init DIR`",
                    place=self._place(),
                )
            )
            return None
        try:
            return PipelineFile.model_validate(value)
        except ValidationError as error:
            self._note(problems_of(error, PipelineFile, self._document))
            return None

    def _registry_location(self, default: str) -> str:
        """A relative folder in the file is meant from the file, wherever one stands when running it."""
        location = self._document.get("registry")
        if not isinstance(location, str):
            return default
        return location if "://" in location else str(Path(self._document.file).parent / location)

    def _codec(self) -> StepPlan | None:
        if self._document.get("input", "codec") is not None:
            return self._steps.read("codec", ("input", "codec"))
        named = self._document.get("input", "format")
        if named is not None:  # what is no name is the envelope's problem
            return self._steps.read("codec", ("input", "format")) if isinstance(named, str) else None
        return self._steps.default("codec", "json", self._place("input"))

    def _outputs(self) -> Iterator[OutputPlan]:
        raw = self._document.get("output")
        for index in range(len(raw) if isinstance(raw, list) else 0):
            path = ("output", index)
            step = self._steps.read("sink", path)
            if step is None:
                continue
            topics = tuple(step.bind().topics())
            partitions = getattr(step.options, "partitions", None)
            yield OutputPlan(topics[0] if topics else step.name, step, topics, self._when(step, path), partitions)

    def _when(self, step: StepPlan, path: Path_) -> Expression | None:
        source = getattr(step.options, "when", None)
        if source is None:
            return None
        place = self._place(*path, step.spec.name, "when")
        try:
            return compile_expression(source, place, ResultBody.model_fields)
        except HeadraceError as error:
            self._document.problems.append(error)
            return None

    def _input(self, envelope: PipelineFile, codec: StepPlan, flow: Flow) -> InputPlan:
        given: Input = envelope.input
        deadline: Any = envelope.delivery.deadline
        intake = Intake(
            text=tuple(given.text.split(".")) if given.text else (),
            needs_text=bool(envelope.models) and reads_text(flow),
            unit=tuple(given.unit.split(".")) if given.unit else (),
            max_bytes=given.max_bytes,
            deadline_ms=int(deadline) if deadline is not None else None,
        )
        place = self._place("input", "topic")
        return InputPlan(given.topic, codec, intake, given.start, given.on_gap, place, given.max_batch_bytes)
