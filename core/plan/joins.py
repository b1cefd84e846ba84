"""Which answers of several models are joined, where, and what of that is kept while records wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations

from headrace.core.config.errors import JoinError
from headrace.core.errors import HeadraceError
from headrace.core.plan.flow import Flow
from headrace.core.plan.layout import LARGEST_BYTES
from headrace.core.plan.plan import JoinPlan, ModelPlan, StepPlan, TopicPlan
from headrace.core.plan.stages import StagePlan
from headrace.core.routing.decision import Decision, decision_fault
from headrace.core.step import StepContext, routed_joins
from headrace.core.wire.kept import state_topic

__all__ = ["join_problems", "plan_joins", "state_topics"]

Context = Callable[[str], StepContext]

_STATE_CONFIG = {
    "cleanup.policy": "compact",
    "retention.ms": "-1",
    "min.cleanable.dirty.ratio": "0.1",
    # What waited and is through should be gone soon: a worker reads all that is left before its first record.
    "segment.ms": "600000",
    "delete.retention.ms": "600000",
}
_SEGMENT_BYTES = 32 << 20


def plan_joins(flow: Flow, context: Context, stages: Sequence[StagePlan]) -> tuple[JoinPlan, ...]:
    """Return the joins of a file's routers, those of its variants included, each once."""
    found: list[JoinPlan] = []
    for _, decision in _decisions(flow, context):
        models = tuple(each.model for each in decision.steps)
        groups = {stage.group for stage in stages if stage.kind != "model" or stage.model in models}
        made = JoinPlan(
            models=models,
            join=decision.join or "first",
            needed=decision.needed,
            deadline_ms=decision.deadline_ms,
            weights={each.model: each.weight for each in decision.steps if each.weight != 1},
            is_apart=len(groups) > 1,
        )
        if made not in found:
            found.append(made)
    return tuple(found)


def join_problems(flow: Flow, context: Context) -> Iterator[HeadraceError]:
    """Yield what is wrong with the joins of a file, as far as its models say beforehand what they answer."""
    for step, decision in _decisions(flow, context):
        fault = decision_fault(decision)
        if fault is not None:
            yield JoinError(f"the router {step.spec.name!r} {fault}", mend="correct its joins()", place=step.place)
        elif decision.join == "average":
            yield from _label_problems(step, decision, flow)


def state_topics(
    pipeline: str, joins: Iterable[JoinPlan], links: Sequence[TopicPlan], *, in_turn: bool
) -> tuple[TopicPlan, ...]:
    """Return the topic that keeps what waits: one that takes every answer to the largest record; none if none waits.

    Args:
        pipeline: its name.
        joins: what waits for answers, where they come from several processes.
        links: as the plan has them.
        in_turn: whether records wait for those of their key before them.
    """
    apart = [join for join in joins if join.is_apart]
    if not apart and not (in_turn and links):
        return ()
    widest = max((len(join.models) for join in apart), default=1)
    limit = min(LARGEST_BYTES, widest * max(link.max_bytes or 0 for link in links))
    config = {**_STATE_CONFIG, "segment.bytes": str(max(_SEGMENT_BYTES, 2 * limit))}
    return (TopicPlan(state_topic(pipeline), "state", None, config, max_bytes=limit),)


def _decisions(flow: Flow, context: Context) -> Iterator[tuple[StepPlan, Decision]]:
    """Yield each parallel decision that asks models of the file; other names are said by the route's own check."""
    for step in (flow.route, *(variant.route for variant in flow.variants.values())):
        if step is None:
            continue
        for decision in routed_joins(step.bind(), context(step.name)):
            if {each.model for each in decision.steps} <= set(flow.models):
                yield step, decision


def _label_problems(step: StepPlan, decision: Decision, flow: Flow) -> Iterator[HeadraceError]:
    known = [(each.model, set(labels)) for each in decision.steps for labels in _labels(each.model, flow) if labels]
    for (one, labels), (other, others) in combinations(known, 2):
        if labels != others:
            yield JoinError(
                f"{one} and {other} have different labels, so their scores have no average: "
                f"{', '.join(sorted(labels))} and {', '.join(sorted(others))}",
                mend="join by vote, or rename labels in the models",
                place=step.place,
            )
            return


def _labels(model: str, flow: Flow) -> Iterator[tuple[str, ...]]:
    """Yield the labels of a model, in the base and in each variant that changes it."""
    plans: list[ModelPlan] = [flow.models[model]]
    plans += [variant.models[model] for variant in flow.variants.values() if model in variant.models]
    return (plan.facts.labels for plan in plans)
