"""What each group of a plan must be allowed to do on a cluster that has rules (ACLs), and the people around it too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from headrace.core.plan.plan import Plan, Role
from headrace.core.plan.stages import EGRESS, GroupPlan, StagePlan, link_topic
from headrace.core.wire.kept import state_topic
from headrace.core.wire.mark import marks_topic, redrive_id

__all__ = ["Access", "Rule", "group_access", "plan_access"]

Resource = Literal["topic", "group", "transactional-id"]
Operation = Literal["Read", "Write", "Create", "Describe", "DescribeConfigs", "Alter", "Delete"]


class Rule(NamedTuple):
    """One resource, or all whose names begin so, and what must be allowed on it; Read and Write imply Describe.

    Attributes:
        resource: what it is.
        name: its name.
        is_prefix: whether every name that begins with it is meant.
        operations: in Kafka's words.
    """

    resource: Resource
    name: str
    is_prefix: bool
    operations: tuple[Operation, ...]


class Access(NamedTuple):
    """Somebody who needs rules: a group of the plan, or a person beside it."""

    who: str
    what: str
    rules: tuple[Rule, ...]


_OF_SOME: frozenset[Role] = frozenset(
    ("input", "output", "dead", "heartbeat", "audit", "exposures", "link", "state", "retry")
)
"""Topics that not every group reads and writes; every other one, all of them do."""


def plan_access(plan: Plan) -> tuple[Access, ...]:
    """Return what each group needs, then what publishers, readers and operators do."""
    return (*(group_access(plan, group) for group in plan.groups.values()), *_people(plan))


def group_access(plan: Plan, group: GroupPlan) -> Access:
    """Return what the workers of one group need."""
    return Access(f"group {group.name}", f"workers of group {group.name}", tuple(_merged(_of_group(plan, group))))


def _of_group(plan: Plan, group: GroupPlan) -> Iterator[Rule]:
    yield from _common(plan)
    yield _topic(group.heartbeat_topic, "Read", "Write")
    yield Rule("group", group.app_id, False, ("Read",))
    kinds = {stage.kind for stage in group.stages}
    for stage in group.stages:
        yield from _of_stage(plan, stage)
    if "ingress" in kinds:
        yield from (_topic(topic.name, "Write") for topic in plan.topics if topic.role == "exposures")
    if "egress" in kinds:
        yield from (_topic(topic.name, "Write") for topic in plan.topics if topic.role == "output")


def _common(plan: Plan) -> Iterator[Rule]:
    """Yield what every worker needs: it looks at all topics, at every group's members and offsets, at the settings."""
    create: tuple[Operation, ...] = ("Create",) if plan.topic_rules.create else ()
    yield Rule("topic", f"{plan.pipeline}.", True, ("Describe", "DescribeConfigs", *create))
    yield Rule("group", f"{plan.pipeline}.", True, ("Describe",))
    for topic in plan.topics:
        if not topic.name.startswith(f"{plan.pipeline}."):
            yield _topic(topic.name, "Describe", "DescribeConfigs", *create)
        if topic.role not in _OF_SOME:
            yield _topic(topic.name, "Read", "Write")
        if topic.role in ("audit", "dead", "retry"):
            yield _topic(topic.name, "Write")
        if topic.role in ("link", "state", "retry"):  # whoever starts first after the input has grown lets these grow
            yield _topic(topic.name, "Alter")


def _of_stage(plan: Plan, stage: StagePlan) -> Iterator[Rule]:
    """Yield what a stage needs; it may have to empty its link also where the plan has none, after a regrouping."""
    yield Rule("group", stage.consumer_group, False, ("Read",))
    yield _topic(plan.input.topic, "Read")  # behind a link the original of a failed record is read again
    if stage.kind != "ingress":
        yield _topic(link_topic(plan.pipeline, stage.name), "Read", "Delete")
    else:
        yield from (_topic(topic.name, "Read", "Delete") for topic in plan.topics if topic.role == "retry")
    if stage.kind != "egress":
        yield from (_topic(topic.name, "Write") for topic in plan.topics if topic.role == "link")
    if plan.joins or plan.delivery.order == "key":  # also where there is one process now: some may wait from before
        if stage.kind == "egress":
            yield _topic(state_topic(plan.pipeline), "Read", "Write")
        else:
            yield _topic(link_topic(plan.pipeline, EGRESS), "Write")
    if plan.delivery.guarantee == "exactly_once":
        yield Rule("transactional-id", f"{stage.consumer_group}.", True, ("Write", "Describe"))


def _people(plan: Plan) -> Iterator[Access]:
    create: tuple[Operation, ...] = ("Create",) if plan.topic_rules.create else ()
    publish = _topic(plan.input.topic, "Write", "DescribeConfigs")
    yield Access("publishers", "who writes to the input with a client of their own", (publish,))
    results = [_topic(name, "Read") for output in plan.outputs for name in output.topics]
    yield Access("readers", "who reads results, as with `headrace tail`", (*results, _topic(plan.dead_topic, "Read")))
    rules = [
        *(_topic(topic.name, "Read", "DescribeConfigs", *create) for topic in plan.topics),
        *(_topic(topic.name, "Write") for topic in plan.topics if topic.role in ("input", "control", "audit")),
        Rule("group", f"{plan.pipeline}.", True, ("Describe",)),
        _topic(marks_topic(plan.pipeline), "Read", "Write", "DescribeConfigs", *create),
        Rule("transactional-id", redrive_id(plan.pipeline), False, ("Write", "Describe")),
    ]
    yield Access("operators", "who uses status, pause, promote, publish, tail and dlq", tuple(_merged(rules)))


def _topic(name: str, *operations: Operation) -> Rule:
    return Rule("topic", name, False, operations)


def _merged(rules: Iterable[Rule]) -> Iterator[Rule]:
    """Yield one rule a resource, in the order in which they were first named."""
    found: dict[tuple[Resource, str, bool], list[Operation]] = {}
    for resource, name, is_prefix, operations in rules:
        known = found.setdefault((resource, name, is_prefix), [])
        known += [operation for operation in operations if operation not in known]
    for (resource, name, is_prefix), known in found.items():
        yield Rule(resource, name, is_prefix, tuple(known))
