"""What a plan has for `order: key`: a link and a topic for what waits, where there are several processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headrace.core.plan.access import plan_access
from headrace.core.plan.mermaid import mermaid
from headrace.core.plan.plan import Plan
from tests.support.planned import compiled

KEY = {"order": "key"}
STATE, LINK = "reviews.state.egress", "reviews.link.egress"


def plan(folder: Path, **sections: Any) -> Plan:
    return compiled(folder, **{"delivery": KEY, "models": {"quick": {"cut": {}}, "expert": {"cut": {}}}, **sections})


def topics(made: Plan) -> set[str]:
    return {topic.name for topic in made.topics if topic.role in ("link", "state")}


def test_records_meet_on_egress_s_link_and_wait_on_a_topic_of_their_own(tmp_path: Path) -> None:
    made = plan(tmp_path, groups={"heavy": {"models": ["expert"]}})
    assert made.keeps_turns
    assert topics(made) == {"reviews.link.expert", LINK, STATE}
    (state,) = (topic for topic in made.topics if topic.role == "state")
    assert state.max_bytes == max(topic.max_bytes or 0 for topic in made.topics if topic.role == "link")
    assert "records that wait for their turn" in mermaid(made)


def test_one_process_needs_neither_and_keeps_the_order_anyway(tmp_path: Path) -> None:
    made = plan(tmp_path)
    assert (topics(made), made.keeps_turns) == (set(), False)
    assert made.promises[1].startswith("order: results of one partition leave in the order")


@pytest.mark.parametrize("groups", [{}, {"heavy": {"models": ["expert"]}}])
def test_egress_may_read_and_write_what_waits(tmp_path: Path, groups: dict[str, Any]) -> None:
    rules = [rule for access in plan_access(plan(tmp_path, groups=groups)) for rule in access.rules]
    assert any({"Read", "Write"} <= set(rule.operations) for rule in rules if rule.name == STATE)
