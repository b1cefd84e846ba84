"""What workers said on the control topic of versions of models, and which of it nobody stands for any more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from headrace.core.control import Settings
from headrace.core.plan.plan import Plan
from headrace.core.wire.control import ModelReady, ModelSwitch, setting_key

__all__ = ["answers_of", "gone_answers", "ready_key"]


def ready_key(stage: str, version: str, instance: str) -> str:
    """Return the key under which a worker says that a stage of its has a version such as `reviews@2`."""
    model, _, number = version.partition("@")
    return setting_key(ModelReady, model=model, version=number, stage=stage, instance=instance)


def answers_of(settings: Settings, model: str, version: str) -> Iterator[str]:
    """Yield the keys under which workers said that they are ready for a version, or route to it."""
    for stage, instance in settings.ready(model, version):
        yield setting_key(ModelReady, model=model, version=version, stage=stage, instance=instance)
    for instance in settings.switched(model, version):
        yield setting_key(ModelSwitch, model=model, version=version, instance=instance)


def gone_answers(settings: Settings, plan: Plan, alive: Mapping[str, Set[str]]) -> list[str]:
    """Return the keys of workers that are none any more.

    Args:
        settings: what is in force.
        plan: says which group runs a stage.
        alive: group -> its live workers; what workers of other groups said is left alone.
    """
    groups = {stage.name: stage.group for stage in plan.stages}
    everyone = {instance for instances in alive.values() for instance in instances}

    def is_gone(stage: str, instance: str) -> bool:
        group = groups.get(stage)
        if group is None:  # of an earlier plan: nobody runs it, if everybody was asked
            return alive.keys() >= plan.groups.keys() and instance not in everyone
        return group in alive and instance not in alive[group]

    ready = (parts for parts, _ in settings.all_ready() if is_gone(parts["stage"], parts["instance"]))
    switched = (parts for parts, _ in settings.all_switched() if is_gone("ingress", parts["instance"]))
    return [
        *(setting_key(ModelReady, **parts) for parts in ready),
        *(setting_key(ModelSwitch, **parts) for parts in switched),
    ]
