"""From a pipeline file to its plan, or to everything that is wrong with it, at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from headrace.core.catalog import Catalog, installed_catalog
from headrace.core.config.document import Document, Path_, read_document
from headrace.core.config.errors import (
    InvalidValueError,
    NotBuiltError,
    RouteError,
    TextPathError,
    UnsetVariableError,
)
from headrace.core.config.expression import Expression, compile_expression
from headrace.core.config.pipeline import RESERVED_NAMES, Input, PipelineFile
from headrace.core.config.problem import problems_of
from headrace.core.config.suggestion import suggest
from headrace.core.errors import HeadraceError, Place, ProblemsError
from headrace.core.plan.fingerprint import fingerprint
from headrace.core.plan.plan import InputPlan, ModelPlan, OutputPlan, Plan, StagePlan, StepPlan
from headrace.core.plan.promise import promises
from headrace.core.plan.steps import StepReader
from headrace.core.plan.topics import plan_topics, topic_problems
from headrace.core.step import ModelFacts, StepContext, model_facts, routed_models
from headrace.core.wire.incoming import Intake
from headrace.core.wire.result import ResultBody

__all__ = ["compile_file"]


def compile_file(
    file: Path, *, registry: str, catalog: Catalog | None = None, environ: Mapping[str, str] | None = None
) -> Plan:
    """Return the plan of a pipeline file. Reads the file and the models' manifests; asks no broker.

    Args:
        file: the pipeline file.
        registry: where models live, unless the file says otherwise.
        catalog: the steps there are; those of the installed plugins unless given.
        environ: what `${NAME}` reads; the process's environment unless given.

    Raises:
        FileUnreadableError: HR103.
        YamlSyntaxError: HR101.
        ProblemsError: everything else that is wrong, by line.
    """
    document = read_document(file, os.environ if environ is None else environ)
    compiler = _Compiler(document, catalog or installed_catalog(), registry)
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


class _Compiler:
    """Compiles one document. Each part is read even when another is wrong, so that all problems show at once."""

    def __init__(self, document: Document, catalog: Catalog, registry: str) -> None:
        self._document = document
        self._steps = StepReader(document, catalog)
        self._registry = self._registry_location(registry)

    def compile(self) -> Plan | None:
        envelope = self._envelope()
        self._note(self._not_built())
        codec = self._codec()
        preprocess = self._steps.read_all("preprocess", "preprocess")
        models = self._models()
        route = self._route(models)
        postprocess = self._steps.read_all("postprocess", "postprocess")
        outputs = tuple(self._outputs())
        if envelope is None or codec is None:
            return None
        self._note(self._text_problems(envelope, codec, models))
        self._note(topic_problems(envelope.pipeline, envelope.input.topic, self._place("input", "topic"), outputs))
        source = self._input(envelope, codec)
        groups = {"preprocess": preprocess, "route": (route,) if route else (), "postprocess": postprocess}
        return Plan(
            file=self._document.file,
            pipeline=envelope.pipeline,
            hash=fingerprint(envelope.pipeline, source, groups, models, outputs),
            input=source,
            preprocess=preprocess,
            models=models,
            route=route,
            postprocess=postprocess,
            outputs=outputs,
            delivery=envelope.delivery,
            batch=envelope.batch,
            topic_rules=envelope.topics,
            topics=plan_topics(envelope.pipeline, source, outputs, envelope.topics),
            stages=tuple(_stages(envelope.pipeline, source, groups, models, outputs)),
            promises=promises(envelope.delivery),
            registry=self._registry,
            bootstrap=envelope.broker.bootstrap,
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

    def _not_built(self) -> Iterator[HeadraceError]:
        asked: list[tuple[tuple[str, ...], bool]] = [
            (("experiments",), bool(self._document.get("experiments"))),
            (("groups",), bool(self._document.get("groups"))),
            (("delivery", "guarantee"), self._document.get("delivery", "guarantee") == "exactly_once"),
            (("delivery", "on_failure"), self._document.get("delivery", "on_failure") in ("fallback", "stop")),
        ]
        for path, is_asked in asked:
            if is_asked:
                value = self._document.get(*path)
                what = f"{'.'.join(path)}: {value}" if isinstance(value, str) else f"`{path[0]}:`"
                yield NotBuiltError(
                    f"{what} is not built yet", mend="remove it from the file", place=self._document.key_place(path)
                )

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

    def _models(self) -> dict[str, ModelPlan]:
        raw = self._document.get("models")
        names = list(raw) if isinstance(raw, dict) else []
        read = ((name, self._steps.read("model", ("models", name), name=name)) for name in names)
        return {name: ModelPlan(step, self._facts(step, tuple(names))) for name, step in read if step is not None}

    def _facts(self, step: StepPlan, names: tuple[str, ...]) -> ModelFacts:
        if step.name in RESERVED_NAMES:
            fault, place = f"a model cannot be named {step.name!r}", self._document.key_place(("models", step.name))
            self._document.problems.append(InvalidValueError(fault, mend="choose another name", place=place))
        try:
            facts = model_facts(step.bind(), self._context(step.name, names))
        except HeadraceError as error:
            error.place = error.place or step.place
            self._document.problems.append(error)
            return ModelFacts(version="")
        return facts

    def _context(self, name: str, models: tuple[str, ...]) -> StepContext:
        pipeline = str(self._document.get("pipeline"))
        return StepContext(pipeline=pipeline, name=name, registry=self._registry, models=models)

    def _route(self, models: Mapping[str, ModelPlan]) -> StepPlan | None:
        raw = self._document.get("models")
        written = tuple(raw) if isinstance(raw, dict) else ()
        if self._document.get("route") is not None:
            step = self._steps.read("router", ("route",))
            if step is not None:
                self._note(self._route_problems(step, written))
            return step
        if len(written) > 1:
            self._document.problems.append(
                RouteError(
                    "several models and no route",
                    mend="add route: {cascade: {order: […], accept: 0.9}}",
                    place=self._document.key_place(("models",)),
                )
            )
        if len(written) != 1:
            return None
        return self._steps.default("router", "single", self._place("models"), {"model": written[0]})

    def _route_problems(self, step: StepPlan, models: tuple[str, ...]) -> Iterator[HeadraceError]:
        for name in routed_models(step.bind(), self._context(step.name, models)):
            if name not in models:
                mend = suggest(name, models, "models") if models else "add it under models:"
                place = self._document.find(name, ("route",)) or step.place
                yield RouteError(
                    f"the route names model {name!r}, which the file does not have", mend=mend, place=place
                )

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

    def _text_problems(
        self, envelope: PipelineFile, codec: StepPlan, models: Mapping[str, ModelPlan]
    ) -> Iterator[HeadraceError]:
        if envelope.input.codec is not None and envelope.input.format is not None:
            yield InvalidValueError(
                "input has both codec and format", mend="keep one", place=self._document.key_place(("input", "format"))
            )
        if codec.spec.name == "text" and envelope.input.text:
            yield TextPathError(
                "the whole message is text, so there is no path into it",
                mend="remove input.text",
                place=self._document.key_place(("input", "text")),
            )
        if codec.spec.name == "json" and models and not envelope.input.text:
            yield TextPathError(
                "the models need a text, and input does not say where it is",
                mend="add text: PATH, or format: text",
                place=self._document.key_place(("input",)),
            )

    def _input(self, envelope: PipelineFile, codec: StepPlan) -> InputPlan:
        given: Input = envelope.input
        deadline: Any = envelope.delivery.deadline
        intake = Intake(
            text=tuple(given.text.split(".")) if given.text else (),
            needs_text=bool(envelope.models),
            unit=tuple(given.unit.split(".")) if given.unit else (),
            max_bytes=given.max_bytes,
            deadline_ms=int(deadline) if deadline is not None else None,
        )
        return InputPlan(given.topic, codec, intake, given.start, given.on_gap, self._place("input", "topic"))


def _stages(
    pipeline: str,
    source: InputPlan,
    groups: Mapping[str, tuple[StepPlan, ...]],
    models: Mapping[str, ModelPlan],
    outputs: tuple[OutputPlan, ...],
) -> Iterator[StagePlan]:
    before = (source.codec, *groups["preprocess"], *groups["route"])
    after = (*groups["postprocess"], *(output.step for output in outputs))
    yield StagePlan("ingress", f"{pipeline}.ingress", tuple(step.name for step in before))
    for name, model in models.items():
        yield StagePlan(name, f"{pipeline}.{name}", (model.step.spec.name,))
    yield StagePlan("egress", f"{pipeline}.egress", tuple(step.name for step in after))
