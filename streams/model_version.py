"""Open one more version of a model beside those that a worker has, if it can take the same place."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from headrace.core.errors import HeadraceError, StepOpenError
from headrace.core.plan.plan import ModelPlan, Plan
from headrace.core.plan.stages import StagePlan
from headrace.core.step import ModelFacts, model_facts
from headrace.streams.bisect import Trap
from headrace.streams.machine import free_memory_bytes
from headrace.streams.opened import opened

__all__ = ["open_version", "version_facts"]


def version_facts(plan: Plan, model: ModelPlan, number: int) -> ModelFacts:
    """Return what is known of a version of a model of the registry.

    Raises:
        HeadraceError: it is not there, or not whole.
    """
    reference, name = model.facts.reference or "", model.step.name
    with Trap() as trap:
        return model_facts(model.step.bind(), replace(plan.context(name), aliases={reference: number}))
    if isinstance(trap.error, HeadraceError):
        raise trap.error
    fault = f"model {name!r} does not say what its version {number} is: {type(trap.error).__name__}: {trap.error}"
    raise StepOpenError(fault, mend="update its plugin", place=model.step.place)


def open_version(plan: Plan, model: ModelPlan, stage: StagePlan, version: str, threads: int) -> tuple[Any, ExitStack]:
    """Return the step of a stage in a version such as `reviews@2`, and what closes it.

    Raises:
        HeadraceError: it is none of this model, does not fit the plan, needs more memory than is free, or cannot load.
    """
    facts = _facts(plan, model, version)
    _refuse_parts(facts, model.facts)
    _refuse_inputs(facts, model.facts)
    _refuse_size(facts, stage)
    stack = ExitStack()
    context = plan.context(model.step.name, threads, version=version, shard=stage.shard)
    try:
        return opened(model.step, context, stack), stack
    except BaseException:
        stack.close()
        raise


def _facts(plan: Plan, model: ModelPlan, version: str) -> ModelFacts:
    name, _, number = version.partition("@")
    known = (model.facts.reference or "").partition("@")[0]
    if name != known or not number.isdigit():
        raise HeadraceError(f"{version} is no version of {known or model.facts.version}", mend="run the file as it was")
    return version_facts(plan, model, int(number))


def _refuse_parts(facts: ModelFacts, before: ModelFacts) -> None:
    if len(facts.shards) != len(before.shards):
        raise HeadraceError(
            f"{facts.version} has {max(1, len(facts.shards))} parts, the running plan {max(1, len(before.shards))}",
            mend="stop the pipeline and run the file anew",
        )


def _refuse_inputs(facts: ModelFacts, before: ModelFacts) -> None:
    if facts.inputs != before.inputs:
        takes = ", ".join(map(str, facts.inputs)) or "texts"
        raise HeadraceError(
            f"{facts.version} takes {takes}, which is not what the running plan reads",
            mend="correct the file's input, stop the pipeline and run the file anew",
        )


def _refuse_size(facts: ModelFacts, stage: StagePlan) -> None:
    size = facts.shards[stage.shard].size_bytes if stage.shard is not None else facts.size_bytes
    free = free_memory_bytes()
    if free is not None and size > free:
        raise HeadraceError(
            f"{facts.version} needs about {size:,} bytes beside the other version, and {free:,} are free",
            mend="give the worker more memory, or restart it with the new version",
        )
