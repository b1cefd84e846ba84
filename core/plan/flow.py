"""The steps that a record may go through, as the file's base has them and as a variant changes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from headrace.core.config.document import Document, Path_
from headrace.core.config.errors import InvalidValueError, RouteError
from headrace.core.config.pipeline import RESERVED_NAMES
from headrace.core.config.suggestion import suggest
from headrace.core.errors import HeadraceError
from headrace.core.plan.plan import ModelPlan, StepPlan, VariantPlan
from headrace.core.plan.steps import StepReader
from headrace.core.step import ModelFacts, StepContext, model_facts, routed_models

__all__ = ["Flow", "FlowReader"]

BASE: Path_ = ()


@dataclass(frozen=True)
class Flow:
    """The base's steps."""

    preprocess: tuple[StepPlan, ...]
    models: Mapping[str, ModelPlan]
    route: StepPlan | None
    postprocess: tuple[StepPlan, ...]
    variants: Mapping[tuple[str, str], VariantPlan] = field(default_factory=dict)


class FlowReader:
    """Reads the steps of one document; what is wrong with them goes to the document's problems."""

    def __init__(self, document: Document, steps: StepReader, registry: str, aliases: Mapping[str, int]) -> None:
        self._document, self._steps, self._registry, self._aliases = document, steps, registry, aliases

    def base(self) -> Flow:
        """Return the steps outside of any experiment."""
        preprocess = self._steps.read_all("preprocess", "preprocess")
        models = self._models(BASE, self._names(BASE))
        route = self._base_route(models)
        return Flow(preprocess, models, route, self._steps.read_all("postprocess", "postprocess"))

    def variant(self, experiment: str, variant: str) -> VariantPlan:
        """Return what a variant sets; None where it leaves the base's."""
        path: Path_ = ("experiments", experiment, "variants", variant, "set")
        known = self._names(BASE)
        return VariantPlan(
            experiment,
            variant,
            preprocess=self._list("preprocess", path),
            models=self._models(path, known),
            route=self._route(path, known) if self._document.get(*path, "route") is not None else None,
            postprocess=self._list("postprocess", path),
        )

    def context(self, name: str, models: Sequence[str]) -> StepContext:
        """Return what a step may know while the file is compiled."""
        pipeline = str(self._document.get("pipeline"))
        return StepContext(
            pipeline=pipeline, name=name, registry=self._registry, models=tuple(models), aliases=self._aliases
        )

    def _list(self, kind: str, path: Path_) -> tuple[StepPlan, ...] | None:
        if self._document.get(*path, kind) is None:
            return None
        return self._steps.read_all("preprocess" if kind == "preprocess" else "postprocess", *path, kind)

    def _names(self, path: Path_) -> tuple[str, ...]:
        raw = self._document.get(*path, "models")
        return tuple(raw) if isinstance(raw, dict) else ()

    def _models(self, path: Path_, known: tuple[str, ...]) -> dict[str, ModelPlan]:
        models = {}
        for name in self._names(path):
            if name not in known:
                continue  # said by headrace.core.plan.experiments
            step = self._steps.read("model", (*path, "models", name), name=name)
            if step is not None:
                models[name] = ModelPlan(step, self._facts(step, known))
        return models

    def _facts(self, step: StepPlan, names: tuple[str, ...]) -> ModelFacts:
        if step.name in RESERVED_NAMES:
            fault, place = f"a model cannot be named {step.name!r}", self._document.key_place(("models", step.name))
            self._document.problems.append(InvalidValueError(fault, mend="choose another name", place=place))
        try:
            return model_facts(step.bind(), self.context(step.name, names))
        except HeadraceError as error:
            error.place = error.place or step.place
            self._document.problems.append(error)
            return ModelFacts(version="")

    def _base_route(self, models: Mapping[str, ModelPlan]) -> StepPlan | None:
        written = self._names(BASE)
        if self._document.get("route") is not None:
            return self._route(BASE, written)
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
        return self._steps.default("router", "single", self._document.place(("models",)), {"model": written[0]})

    def _route(self, path: Path_, models: tuple[str, ...]) -> StepPlan | None:
        step = self._steps.read("router", (*path, "route"))
        if step is not None:
            self._document.problems.extend(self._route_problems(step, path, models))
        return step

    def _route_problems(self, step: StepPlan, path: Path_, models: tuple[str, ...]) -> Iterator[HeadraceError]:
        for name in routed_models(step.bind(), self.context(step.name, models)):
            if name not in models:
                mend = suggest(name, models, "models") if models else "add it under models:"
                place = self._document.find(name, (*path, "route")) or step.place
                yield RouteError(
                    f"the route names model {name!r}, which the file does not have", mend=mend, place=place
                )
