"""The hash of a plan: equal exactly when records would be treated the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from headrace.core.experiments.experiment import Experiment
from headrace.core.options import TUNING
from headrace.core.plan.flow import Flow
from headrace.core.plan.plan import InputPlan, ModelPlan, OutputPlan, StepPlan, VariantPlan

__all__ = ["fingerprint"]


def fingerprint(
    pipeline: str,
    source: InputPlan,
    flow: Flow,
    outputs: tuple[OutputPlan, ...],
    *,
    experiments: tuple[Experiment, ...] = (),
    splitter: StepPlan | None = None,
    fallback: Mapping[str, Any] | None = None,
) -> str:
    """Return 12 hex digits over everything that decides what a record becomes.

    Broker, partitions, groups, links, batch sizes and delivery (but for the fallback) are left out: they change when,
    where and how often, never what.
    """
    steps = {"preprocess": flow.preprocess, "route": _some(flow.route), "postprocess": flow.postprocess}
    facts = {
        "format": 1,
        "pipeline": pipeline,
        "input": [source.topic, _step(source.codec), source.intake.text, source.intake.unit, source.intake.max_bytes],
        "steps": {place: [_step(step) for step in group] for place, group in steps.items()},
        "models": _models(flow.models),
        "outputs": [[output.name, _step(output.step)] for output in outputs],
    }
    if experiments and splitter is not None:
        facts["splitter"] = _step(splitter)
        facts["experiments"] = [_experiment(experiment, flow.variants) for experiment in experiments]
    if fallback is not None:
        facts["fallback"] = fallback
    return sha256(json.dumps(facts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _experiment(experiment: Experiment, variants: Mapping[tuple[str, str], VariantPlan]) -> list[Any]:
    return [
        experiment.id,
        experiment.seed,
        experiment.coverage,
        experiment.layer,
        experiment.layer_range,
        experiment.segment.source if experiment.segment else None,
        [
            [name, weight, _variant(variants.get((experiment.id, name)))]
            for name, weight in zip(experiment.variants, experiment.weights, strict=True)
        ],
    ]


def _variant(variant: VariantPlan | None) -> list[Any] | None:
    if variant is None:  # the holdout's
        return None
    route = _step(variant.route) if variant.route else None
    return [_steps(variant.preprocess), _models(variant.models), route, _steps(variant.postprocess)]


def _steps(steps: tuple[StepPlan, ...] | None) -> list[Any] | None:
    return None if steps is None else [_step(step) for step in steps]


def _some(step: StepPlan | None) -> tuple[StepPlan, ...]:
    return (step,) if step else ()


def _models(models: Mapping[str, ModelPlan]) -> dict[str, list[Any]]:
    return {name: [_step(model.step), model.facts.version, model.facts.hash] for name, model in models.items()}


def _step(step: StepPlan) -> list[Any]:
    tuned = {name for name, field in type(step.options).model_fields.items() if field.json_schema_extra == TUNING}
    return [step.spec.name, step.options.model_dump(mode="json", exclude=tuned)]
