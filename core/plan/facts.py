"""A plan as plain values, for people and programs that want to read it."""

from __future__ import annotations

import dataclasses
from typing import Any

from headrace.core.config.broker import Broker
from headrace.core.plan.experiments import experiment_facts
from headrace.core.plan.plan import JoinPlan, ModelPlan, OutputPlan, Plan, StepPlan, TopicPlan
from headrace.core.plan.stages import GroupPlan, StagePlan
from headrace.core.plan.ways import model_orders, ways
from headrace.core.wire.kept import state_topic

__all__ = ["plan_facts", "plan_ways"]


def plan_facts(plan: Plan) -> dict[str, Any]:
    """Return everything a plan says, as values that JSON has."""
    return {
        "pipeline": plan.pipeline,
        "plan": plan.hash,
        "file": plan.file,
        "registry": plan.registry,
        "broker": plan.broker.bootstrap,
        "security": _security(plan.broker),
        "input": _input(plan),
        "stages": [_stage(stage) for stage in plan.stages],
        "groups": [_group(group, plan) for group in plan.groups.values()],
        "links": [_link(stage, plan) for stage in plan.stages if stage.reads and stage.kind != "ingress"],
        "ways": [list(way) for way in plan_ways(plan)],
        "steps": {
            "splitter": _step(plan.splitter) if plan.splitter else None,
            "preprocess": [_step(step) for step in plan.preprocess],
            "route": _step(plan.route) if plan.route else None,
            "postprocess": [_step(step) for step in plan.postprocess],
        },
        "joins": [_join(join, plan) for join in plan.joins],
        "models": [_model(name, model) for name, model in plan.model_plans()],
        "experiments": [experiment_facts(experiment) for experiment in plan.experiments],
        "link": plan.link.model_dump(mode="json"),
        "outputs": [_output(output) for output in plan.outputs],
        "topics": [_topic(topic) for topic in plan.topics],
        "delivery": plan.delivery.model_dump(mode="json"),
        "batch": plan.batch.model_dump(mode="json"),
        "promises": list(plan.promises),
    }


def plan_ways(plan: Plan) -> tuple[tuple[str, str], ...]:
    """Return every pair of stages of which a record may go from the first to the second."""
    return ways(plan.stages, model_orders(plan.route, plan.models, plan.variants.values(), plan.context))


def _security(broker: Broker) -> dict[str, Any]:
    """Return how a client is let in; of passwords, and of keys that lead to one, nothing."""
    return {
        "protocol": broker.security_protocol,
        "mechanism": broker.sasl_mechanism,
        "username": broker.sasl_username,
        "cafile": broker.ssl_cafile,
        "certfile": broker.ssl_certfile,
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
        "max_batch_bytes": source.max_batch_bytes,
    }


def _stage(stage: StagePlan) -> dict[str, Any]:
    return {
        "name": stage.name,
        "kind": stage.kind,
        "group": stage.group,
        "consumer_group": stage.consumer_group,
        "reads": stage.reads,
        "steps": list(stage.steps),
        "model": stage.model or None,
        "part": None if stage.shard is None else [stage.shard + 1, stage.shards],
    }


def _group(group: GroupPlan, plan: Plan) -> dict[str, Any]:
    held = [_held_bytes(stage, plan) for stage in group.stages if stage.kind == "model"]
    return {
        "name": group.name,
        "stages": [stage.name for stage in group.stages],
        "replicas": group.replicas,
        "model_bytes": sum(held),
    }


def _link(stage: StagePlan, plan: Plan) -> dict[str, Any]:
    """Return what is known of the topic that leads to a stage."""
    topic = next(topic for topic in plan.topics if topic.name == stage.reads)
    return {
        "topic": topic.name,
        "to": stage.name,
        "partitions": topic.partitions,
        "max_bytes": topic.max_bytes,
        "balance": plan.link.balance,
        "tensors": plan.link.tensors if stage.shard else None,
    }


def _held_bytes(stage: StagePlan, plan: Plan) -> int:
    """Return the bytes of files that a stage holds in memory: its own part's."""
    facts = dict(plan.model_plans())[stage.base].facts
    return facts.size_bytes if stage.shard is None else facts.shards[stage.shard].size_bytes


def _step(step: StepPlan) -> dict[str, Any]:
    return {"name": step.spec.name, "options": step.options.model_dump(mode="json")}


def _join(join: JoinPlan, plan: Plan) -> dict[str, Any]:
    return {
        "models": list(join.models),
        "join": join.join,
        "answers": join.needed,
        "deadline_ms": join.deadline_ms,
        "weights": dict(join.weights),
        "state": state_topic(plan.pipeline) if join.is_apart else None,
    }


def _model(name: str, model: ModelPlan) -> dict[str, Any]:
    facts = model.facts
    return {
        "name": name,
        "step": _step(model.step),
        "version": facts.version,
        "size_bytes": facts.size_bytes,
        "labels": list(facts.labels),
        "hash": facts.hash,
        "inputs": [str(spec) for spec in facts.inputs],
        "parts": [dataclasses.asdict(part) for part in facts.shards],
    }


def _output(output: OutputPlan) -> dict[str, Any]:
    when = output.when.source if output.when else None
    return {"name": output.name, "step": _step(output.step), "topics": list(output.topics), "when": when}


def _topic(topic: TopicPlan) -> dict[str, Any]:
    return {"name": topic.name, "role": topic.role, "partitions": topic.partitions, "config": _config(topic)}


def _config(topic: TopicPlan) -> dict[str, str]:
    limit = {} if topic.max_bytes is None else {"max.message.bytes": str(topic.max_bytes)}
    return {**topic.config, **limit}
