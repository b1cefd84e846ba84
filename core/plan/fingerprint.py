"""The hash of a plan: equal exactly when records would be treated the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from headrace.core.options import TUNING
from headrace.core.plan.plan import InputPlan, ModelPlan, OutputPlan, StepPlan

__all__ = ["fingerprint"]


def fingerprint(
    pipeline: str,
    source: InputPlan,
    steps: Mapping[str, tuple[StepPlan, ...]],
    models: Mapping[str, ModelPlan],
    outputs: tuple[OutputPlan, ...],
) -> str:
    """Return 12 hex digits over everything that decides what a record becomes.

    Broker, partitions, batch sizes and delivery are left out: they change when and how often, never what.
    """
    facts = {
        "format": 1,
        "pipeline": pipeline,
        "input": [source.topic, _step(source.codec), source.intake.text, source.intake.unit, source.intake.max_bytes],
        "steps": {place: [_step(step) for step in group] for place, group in steps.items()},
        "models": {name: [_step(model.step), model.facts.version, model.facts.hash] for name, model in models.items()},
        "outputs": [[output.name, _step(output.step)] for output in outputs],
    }
    return sha256(json.dumps(facts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _step(step: StepPlan) -> list[Any]:
    tuned = {name for name, field in type(step.options).model_fields.items() if field.json_schema_extra == TUNING}
    return [step.spec.name, step.options.model_dump(mode="json", exclude=tuned)]
