"""One pipeline on this machine: its file, its models' files, and its topics as the broker has them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

from headrace.core.errors import HeadraceError, ProblemsError
from headrace.core.plan.compile import compile_file
from headrace.core.plan.plan import ModelPlan, Plan, TopicPlan
from headrace.core.wire.dead import HEADROOM_BYTES
from headrace.streams.access.admin import admin
from headrace.streams.access.connection import Connection
from headrace.streams.doctor.finding import Finding, State, of_error
from headrace.streams.topic_facts import TopicFacts, describe

__all__ = ["look_at_file", "look_at_models", "look_at_topics"]


def look_at_file(file: Path) -> tuple[Plan | None, list[Finding]]:
    """Return the plan, if the file has one, and every problem of the file."""
    from headrace.streams.registry import default_location

    try:
        plan = compile_file(file, registry=default_location())
    except ProblemsError as error:
        return None, [of_error("file", problem) for problem in error.problems]
    except HeadraceError as error:
        return None, [of_error("file", error)]
    return plan, [Finding("file", "ok", f"{file}: pipeline {plan.pipeline}, plan {plan.hash}")]


def look_at_models(plan: Plan) -> Iterator[Finding]:
    """Yield each model; of those with files, every byte is read and compared with what was imported."""
    for name, model in plan.models.items():
        try:
            yield Finding("model", "ok", f"{name}: {_model_fact(plan, model)}")
        except HeadraceError as error:
            yield of_error("model", error)


def look_at_topics(plan: Plan, connection: Connection) -> Iterator[Finding]:
    """Yield each topic of the plan as the broker has it; nothing is made."""
    try:
        there = asyncio.run(_topics(plan, connection))
    except HeadraceError as error:
        yield of_error("topics", error)
        return
    for topic in plan.topics:
        yield _topic(plan, topic, there)


def _model_fact(plan: Plan, model: ModelPlan) -> str:
    facts = model.facts
    if not facts.size_bytes:
        return f"{facts.version}, no files"
    from headrace.core.registry.store import Registry

    registry = Registry(plan.registry)
    manifest = registry.resolve(facts.version)
    registry.verify(manifest)
    return f"{facts.version}, {facts.size_bytes / (1 << 20):.1f} MiB in {len(manifest.files)} files, sha256 as imported"


async def _topics(plan: Plan, connection: Connection) -> Mapping[str, TopicFacts]:
    async with admin(connection) as client:
        return await describe(client, [topic.name for topic in plan.topics])


def _topic(plan: Plan, topic: TopicPlan, there: Mapping[str, TopicFacts]) -> Finding:
    facts = there.get(topic.name)
    if facts is None and plan.topic_rules.create:
        return Finding("topic", "ok", f"{topic.name} ({topic.role}) will be made")
    if facts is None:
        mend = "create it, or set topics: {create: true}"
        return Finding("topic", "fail", f"HR211 no topic {topic.name!r} ({topic.role})", mend)
    fact = f"{topic.name} ({topic.role}): {facts.partitions} partitions, {facts.max_message_bytes:,} bytes a message"
    if topic.role in ("input", "output") and topic.partitions not in (None, facts.partitions):
        mend = f"write partitions: {facts.partitions}, or leave it out"
        return Finding("topic", "fail", f"HR212 {fact}; the plan says {topic.partitions} partitions", mend)
    needed = _needed_bytes(plan, topic, there)
    if facts.max_message_bytes < needed:
        state: State = "fail" if topic.role in ("dead", "retry") else "warn"
        return Finding("topic", state, f"HR214 {fact}; {needed:,} may come", f"set its max.message.bytes to {needed}")
    return Finding("topic", "ok", fact)


def _needed_bytes(plan: Plan, topic: TopicPlan, there: Mapping[str, TopicFacts]) -> int:
    """Return what the topic must take: a dead letter holds its whole message and the reasons."""
    source = there.get(plan.input.topic)
    if topic.role in ("dead", "retry") and source:
        return source.max_message_bytes + HEADROOM_BYTES
    return plan.input.intake.max_bytes if topic.role == "input" else 0
