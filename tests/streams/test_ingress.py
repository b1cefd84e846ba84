"""How a routed record is addressed: stage, version and parts of every model that it may visit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headrace.core.experiments.experiment import Assigned
from headrace.core.plan.plan import Plan
from headrace.core.record import Record
from headrace.core.routing.decision import Candidate, Decision
from headrace.core.routing.slip import Slip, advance
from headrace.streams.ingress import Address
from headrace.streams.live import Live
from headrace.streams.slot import Slot
from tests.support.made import record
from tests.support.planned import compiled

VARIANT = {"set": {"models": {"expert": {"cut": {"version": "better@3"}}}, "postprocess": []}}
TRIAL = {"trial": {"variants": {"a": {}, "b": VARIANT}}}


def decision(*models: str, combine: Any = "cascade", version: str | None = None) -> Decision:
    return Decision(combine=combine, steps=tuple(Candidate(model=model, version=version) for model in models))


def routed(made: Decision, **fields: Any) -> Slot:
    return Slot(None, record("t", slip=Slip(policy="cascade", decision=made), **fields))


def addressed(plan: Plan, /, *slots: Slot, **changes: Any) -> list[list[tuple[Any, ...]]]:
    """Return (model, stage, version, parts) of each candidate of each record."""
    live = Live(plan)
    live.change(**changes)
    live.look()
    Address(plan, live).run(slots)
    return [[(each.model, each.stage, each.version, each.parts) for each in _steps(slot.record)] for slot in slots]


def _steps(found: Record | None) -> tuple[Candidate, ...]:
    assert found is not None
    assert found.slip is not None
    return found.slip.decision.steps


QUICK, EXPERT = ("quick", "quick", "quick@1", 1), ("expert", "expert", "expert@1", 2)


def test_every_candidate_gets_its_stage_the_version_and_the_parts(tmp_path: Path) -> None:
    plan = compiled(tmp_path)
    slot = routed(decision("quick", "expert"))
    assert addressed(plan, slot) == [[QUICK, EXPERT]]
    assert slot.record is not None
    assert (slot.record.plan, slot.next_stage) == (plan.hash, "quick")


def test_the_first_part_of_a_sharded_model_is_where_it_goes(tmp_path: Path) -> None:
    slot = routed(decision("expert", combine="single"))
    addressed(compiled(tmp_path), slot)
    assert slot.next_stage == "expert.1"


def test_new_records_get_the_version_that_is_in_force(tmp_path: Path) -> None:
    plan = compiled(tmp_path)
    slot = routed(decision("quick", "expert"))
    versions = {"quick": "quick@2", "expert": "expert@1"}
    assert addressed(plan, slot, versions=versions, plan="other") == [[("quick", "quick", "quick@2", 1), EXPERT]]
    assert slot.record is not None
    assert slot.record.plan == "other"


def test_a_router_may_name_a_version_itself(tmp_path: Path) -> None:
    assert addressed(compiled(tmp_path), routed(decision("quick", version="quick@7"))) == [
        [("quick", "quick", "quick@7", 1)]
    ]


def test_a_variant_s_model_is_another_stage_for_those_who_met_it(tmp_path: Path) -> None:
    plan = compiled(tmp_path, experiments=TRIAL)
    shared = decision("quick", "expert")
    slots = [routed(shared), routed(shared, experiments=(Assigned("trial", 1, "b"),))]
    slots.append(routed(shared, experiments=(Assigned("trial", 1, "a"),)))
    assert addressed(plan, *slots) == [
        [QUICK, EXPERT],
        [QUICK, ("expert", "expert.trial.b", "better@3", 1)],
        [QUICK, EXPERT],
    ]
    assert [slot.record.postprocess_of for slot in slots if slot.record] == [None, ("trial", "b"), None]


def test_a_stopped_model_of_a_cascade_is_left_out(tmp_path: Path) -> None:
    plan = compiled(tmp_path)
    slots = [routed(decision("quick", "expert")), routed(decision("quick", "expert", combine="chain"))]
    assert addressed(plan, *slots, stopped_models=frozenset({"expert"})) == [[QUICK], [QUICK, EXPERT]], "not of a chain"


def test_the_last_one_left_answers_whatever_its_score_and_says_why(tmp_path: Path) -> None:
    steps = (Candidate(model="quick", accept_if=0.9), Candidate(model="expert"))
    slot = routed(Decision(combine="cascade", steps=steps, reason="the first output that is accepted"))
    addressed(compiled(tmp_path), slot, stopped_models=frozenset({"expert"}))
    assert slot.record is not None
    assert slot.record.slip is not None
    slip = advance(slot.record.slip, {"score": 0.4}, lambda rule, output: False)
    assert (slip.next, slip.served_model, slip.reason) == (None, "quick", "expert is stopped")


def test_a_stopped_model_is_visited_when_no_link_leads_past_it(tmp_path: Path) -> None:
    plan = compiled(tmp_path, groups={"heavy": {"models": ["quick", "expert"]}})
    assert plan.stage("expert.1").reads is None  # type: ignore[union-attr]
    slot = routed(decision("quick", "expert"))
    assert addressed(plan, slot, stopped_models=frozenset({"quick"})) == [[QUICK, EXPERT]]
    slot = routed(decision("quick", "expert"))
    assert addressed(plan, slot, stopped_models=frozenset({"expert"})) == [[QUICK]]


def test_when_all_are_stopped_the_record_still_goes_somewhere(tmp_path: Path) -> None:
    stopped = frozenset({"quick", "expert"})
    assert addressed(compiled(tmp_path), routed(decision("quick", "expert")), stopped_models=stopped) == [
        [QUICK, EXPERT]
    ]


def test_a_model_that_there_is_not_is_the_router_s_fault_for_that_record_only(tmp_path: Path) -> None:
    slots = [routed(decision("quick")), routed(decision("nobody")), routed(decision("expert"))]
    live = Live(plan := compiled(tmp_path))
    Address(plan, live).run(slots)
    assert [slot.failure.code if slot.failure else slot.next_stage for slot in slots] == ["quick", "HR603", "expert.1"]
    assert slots[1].failure is not None
    assert (slots[1].failure.stage, slots[1].failure.plugin) == ("ingress", "cascade")


@pytest.mark.parametrize("fields", [{"status": "filtered"}, {"status": "expired"}, {"slip": None}], ids=str)
def test_what_goes_to_no_model_is_left_as_it_is(tmp_path: Path, fields: dict[str, Any]) -> None:
    slot = routed(decision("quick"))
    assert slot.record is not None
    before = slot.record = slot.record.replace(**fields)
    Address(plan := compiled(tmp_path), Live(plan)).run([slot])
    assert slot.record is before
