"""The ways of records from stage to stage: what the routers may do, whatever variants a record meets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from headrace.core.plan.plan import ModelPlan, StepPlan, VariantPlan
from headrace.core.plan.stages import EGRESS, INGRESS, StageSketch
from headrace.core.step import StepContext, routed_orders

__all__ = ["model_orders", "ways"]

Way = tuple[str, str]


def model_orders(
    route: StepPlan | None,
    models: Mapping[str, ModelPlan],
    variants: Iterable[VariantPlan],
    context: Callable[[str], StepContext],
) -> Iterator[tuple[str, ...]]:
    """Yield the orders in which models may follow each other, by the base names of their stages.

    Args:
        route: the router of the file.
        models: the models of the file.
        variants: what every variant of every experiment changes.
        context: gives a router of that name what it may know.
    """
    changes = tuple(variants)
    chosen = [None, *(change for change in changes if change.models)]
    for step in (route, *(change.route for change in changes)):
        if step is None:
            continue
        for order in routed_orders(step.bind(), context(step.name)):
            if order and set(order) <= set(models):
                yield from (tuple(_base(change, name) for name in order) for change in chosen)


def ways(stages: Sequence[StageSketch], orders: Iterable[Sequence[str]]) -> tuple[Way, ...]:
    """Return every pair of stages of which a record may go from the first to the second, in the order of the stages.

    Args:
        stages: all of them.
        orders: the orders in which models may follow each other, as `model_orders` gives them.
    """
    first = {stage.base: stage.name for stage in stages if stage.kind == "model" and not stage.shard}
    last = {stage.base: stage.name for stage in stages if stage.kind == "model" and stage.is_last}
    found = {(INGRESS, EGRESS)}  # filtered, expired and failed records
    for order in orders:
        found.add((INGRESS, first[order[0]]))
        found.update((last[one], first[other]) for one, other in pairwise(order))
        # Not from the last part alone: a deadline may pass, or a step fail, at any, and only egress ends a record.
        found.update((stage.name, EGRESS) for stage in stages if stage.kind == "model" and stage.base in order)
    parts = [stage for stage in stages if stage.shard is not None]
    found.update((one.name, other.name) for one in parts for other in parts if _follows(one, other))
    place = {stage.name: at for at, stage in enumerate(stages)}
    return tuple(sorted(found, key=lambda way: (place[way[0]], place[way[1]])))


def _follows(one: StageSketch, other: StageSketch) -> bool:
    return one.base == other.base and one.shard is not None and other.shard == one.shard + 1


def _base(change: VariantPlan | None, model: str) -> str:
    return change.stage(model) if change is not None and model in change.models else model
