"""A plan as plain values, for people and programs that want to read it."""

from __future__ import annotations

from typing import Any

from headrace.core.plan.plan import ModelPlan, OutputPlan, Plan, StepPlan, TopicPlan

__all__ = ["plan_facts"]


def plan_facts(plan: Plan) -> dict[str, Any]:
    """Return everything a plan says, as values that JSON has."""
    return {
        "pipeline": plan.pipeline,
        "plan": plan.hash,
        "file": plan.file,
        "registry": plan.registry,
        "broker": plan.bootstrap,
        "input": _input(plan),
        "stages": [{"name": stage.name, "group": stage.group, "steps": list(stage.steps)} for stage in plan.stages],
        "steps": {
            "preprocess": [_step(step) for step in plan.preprocess],
            "route": _step(plan.route) if plan.route else None,
            "postprocess": [_step(step) for step in plan.postprocess],
        },
        "models": [_model(name, model) for name, model in plan.models.items()],
        "outputs": [_output(output) for output in plan.outputs],
        "topics": [_topic(topic) for topic in plan.topics],
        "delivery": plan.delivery.model_dump(mode="json"),
        "batch": plan.batch.model_dump(mode="json"),
        "promises": list(plan.promises),
    }


def _input(plan: Plan) -> dict[str, Any]:
    source = plan.input
    return {
        "topic": source.topic,
        "codec": _step(source.codec),
        "text": ".".join(source.intake.text) or None,
        "unit": ".".join(source.intake.unit) or None,
        "start": source.start,
        "on_gap": source.on_gap,
        "max_bytes": source.intake.max_bytes,
    }


def _step(step: StepPlan) -> dict[str, Any]:
    return {"name": step.spec.name, "options": step.options.model_dump(mode="json")}


def _model(name: str, model: ModelPlan) -> dict[str, Any]:
    facts = model.facts
    return {
        "name": name,
        "step": _step(model.step),
        "version": facts.version,
        "size_bytes": facts.size_bytes,
        "labels": list(facts.labels),
        "hash": facts.hash,
    }


def _output(output: OutputPlan) -> dict[str, Any]:
    when = output.when.source if output.when else None
    return {"name": output.name, "step": _step(output.step), "topics": list(output.topics), "when": when}


def _topic(topic: TopicPlan) -> dict[str, Any]:
    return {"name": topic.name, "role": topic.role, "partitions": topic.partitions, "config": dict(topic.config)}
