"""What each group must be allowed: nothing is forgotten, and no group gets what another one needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest

from headrace.core.plan.access import Rule, plan_access
from headrace.core.plan.plan import Plan, Role

Compile = Callable[..., Plan]
GROUPS = "groups: {front: {stages: [ingress]}, quick: {models: [quick]}}\n"


@pytest.fixture
def rules(compiled: Compile, minimal: str) -> dict[str, dict[tuple[str, str], Rule]]:
    """The rules of each, by resource and name."""
    found = plan_access(compiled(minimal + GROUPS))
    return {one.who: {(rule.resource, rule.name): rule for rule in one.rules} for one in found}


def test_every_group_and_the_people_beside_it_are_there(rules: dict[str, dict[tuple[str, str], Rule]]) -> None:
    groups = ["group front", "group quick", "group main"]
    assert [*rules] == [*groups, "publishers", "readers", "operators"]


def test_only_the_last_group_writes_results_and_only_a_stage_reads_its_link(
    rules: dict[str, dict[tuple[str, str], Rule]],
) -> None:
    may = {who: {name: rule.operations for (_, name), rule in some.items()} for who, some in rules.items()}
    assert "Write" in may["group main"]["reviews.scored"]
    assert "Write" not in may["group front"].get("reviews.scored", ()) + may["group quick"].get("reviews.scored", ())
    assert may["group quick"]["reviews.link.quick"] == ("Alter", "Read", "Delete", "Write")
    assert may["group front"]["reviews.link.quick"] == ("Alter", "Write")
    assert may["group main"]["reviews.link.quick"] == ("Alter",)
    assert may["group quick"]["reviews.quick"] == ("Read",)
    assert "reviews.quick" not in may["group front"]


def test_topics_that_are_made_by_hand_need_no_right_to_make_them(compiled: Compile, minimal: str) -> None:
    operations = {
        operation
        for one in plan_access(compiled(minimal + "topics: {create: false}\n"))
        for rule in one.rules
        for operation in rule.operations
    }
    assert "Create" not in operations
    assert "Describe" in operations


def test_every_topic_of_the_plan_is_read_or_written_by_somebody(compiled: Compile, minimal: str) -> None:
    plan = compiled(minimal + GROUPS)
    assert {topic.role for topic in plan.topics} <= set(get_args(Role))
    used = {
        rule.name
        for one in plan_access(plan)
        if one.who.startswith("group ")
        for rule in one.rules
        if not rule.is_prefix and {"Read", "Write"} & set(rule.operations)
    }
    assert {topic.name for topic in plan.topics} <= used


def test_no_resource_is_named_twice(compiled: Compile, minimal: str) -> None:
    for one in plan_access(compiled(minimal + GROUPS)):
        named = [(rule.resource, rule.name, rule.is_prefix) for rule in one.rules]
        assert len(named) == len(set(named))
