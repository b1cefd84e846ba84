"""The way to another process: which frames a batch becomes, and that a record fares there as it would here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.core.plan.plan import Plan
from headrace.core.record import Position, Record
from headrace.core.routing.decision import Candidate, Decision
from headrace.core.routing.slip import Slip
from headrace.core.wire.frame import decode_frame, encode_frames, encode_record
from headrace.streams.inference import ModelStage
from headrace.streams.link import Outbound, Shipment
from headrace.streams.slot import Slot
from tests.support.made import message, record
from tests.support.planned import compiled
from tests.support.processes import same_always, through


def slot(offset: int, stage: str = "expert", *, partition: int = 0, size: int = 10, **fields: Any) -> Slot:
    candidate = Candidate(model="expert", stage=stage)
    slip = Slip(policy="single", decision=Decision(combine="single", steps=(candidate,)))
    return Slot(
        None, record("x" * size, source=Position("reviews", partition, offset), **{"value": {}, "slip": slip, **fields})
    )


def offsets(shipment: Shipment) -> list[int]:
    frame = decode_frame(shipment.message.value)
    found = [each.source.offset for each in frame.records if isinstance(each, Record)]
    assert found == [slot.source.offset for slot in shipment.slots], "each frame with the slots that it holds"
    return found


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    models = {"quick": {"cut": {}}, "expert": {"cut": {"version": "expert@1"}}}
    groups = {"heavy": {"models": ["expert"]}}
    return compiled(tmp_path, models=models, groups=groups, link={"max_bytes": 3000})


def test_each_partition_and_each_stage_has_frames_of_its_own_in_order(plan: Plan) -> None:
    slots = [slot(0), slot(1, partition=1), slot(2), slot(3, partition=1, slip=None), slot(4)]
    shipments = Outbound(plan, "ingress").pack(slots)
    assert [(each.message.topic, each.message.partition, offsets(each)) for each in shipments] == [
        ("reviews.link.expert", 0, [0, 2, 4]),
        ("reviews.link.expert", 1, [1]),
        ("reviews.link.egress", 1, [3]),
    ]
    frame = decode_frame(shipments[0].message.value)
    assert (frame.plan, frame.stage) == (plan.hash, "ingress")
    assert shipments[0].message.key is None


@given(sizes=st.lists(st.integers(0, 4000), min_size=1, max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=30)
def test_however_large_they_are_every_record_travels_once_and_in_order(plan: Plan, sizes: list[int]) -> None:
    shipments = Outbound(plan, "ingress").pack([slot(at, size=size) for at, size in enumerate(sizes)])
    assert [offset for each in shipments for offset in offsets(each)] == list(range(len(sizes)))


def test_another_partition_may_be_chosen(plan: Plan) -> None:
    asked = []

    def choose(topic: str, partition: int) -> int:
        asked.append((topic, partition))
        return 7

    (shipment,) = Outbound(plan, "ingress", choose).pack([slot(0), slot(1, partition=3), slot(2)])
    assert shipment.message.partition == 7
    assert asked == [("reviews.link.expert", 0), ("reviews.link.expert", 3)], "once for a batch, not for each record"


def test_a_record_that_is_done_or_failed_goes_nowhere(plan: Plan) -> None:
    done, failed = slot(0), slot(1)
    done.is_done, failed.record = True, None
    assert Outbound(plan, "egress").pack([done, failed]) == []


def test_a_stage_that_the_plan_does_not_have_is_that_record_s_failure(plan: Plan) -> None:
    slots = [slot(0), slot(1, "dropped"), slot(2)]
    (shipment,) = Outbound(plan, "ingress").pack(slots)
    assert offsets(shipment) == [0, 2]
    assert slots[1].failure is not None
    assert (slots[1].failure.code, slots[1].failure.plugin) == ("HR521", "link")
    assert "next stage is 'dropped'" in slots[1].failure.message


def test_a_record_that_cannot_travel_is_its_own_failure(plan: Plan) -> None:
    slots = [slot(0), slot(1, value={"a": object()}), slot(2)]
    (shipment,) = Outbound(plan, "ingress").pack(slots)
    assert offsets(shipment) == [0, 2]
    assert [one.failure.code if one.failure else None for one in slots] == [None, "HR610", None]


def test_tensors_travel_as_the_file_says(tmp_path: Path) -> None:
    groups = {"heavy": {"models": ["expert"]}}
    models: dict[str, Any] = {"quick": {"cut": {}}, "expert": {"cut": {}}}
    plan = compiled(tmp_path, models=models, groups=groups, link={"tensors": "float16"})
    (shipment,) = Outbound(plan, "ingress").pack([slot(0, tensors={"x": np.ones(4, np.float32)})])
    (found,) = decode_frame(shipment.message.value).records
    assert isinstance(found, Record)
    assert found.tensors["x"].dtype == np.float16


# -- several pipes: what processes do, in one


TEXTS = ["0.95 sure", "0.4 well", "raise", "json null", "0.1 lone \ud83d", "0.2 again", "json [1]", "0.99 x"]


@pytest.mark.parametrize(
    "groups",
    [
        {"heavy": {"models": ["expert"]}},
        {"light": {"models": ["quick"]}},
        {"in": {"stages": ["ingress"]}, "out": {"stages": ["egress"]}},
        {"a": {"models": ["quick"]}, "b": {"models": ["expert"]}, "c": {"stages": ["egress"]}},
    ],
    ids="+".join,
)
def test_whatever_the_grouping_each_record_ends_the_same(processes: Any, groups: Any) -> None:
    fused, split = through(processes(), TEXTS), through(processes(groups=groups), TEXTS)
    assert split.hops
    assert not fused.hops
    assert same_always(split.results) == same_always(fused.results)
    assert {at: (each.code, each.stage) for at, each in split.dead.items()} == {
        at: (each.code, each.stage) for at, each in fused.dead.items()
    }
    assert split.results.keys() | split.dead.keys() == set(range(len(TEXTS)))


@pytest.mark.parametrize("stopped", ["quick", "expert"])
@pytest.mark.parametrize(
    "groups", [{}, {"heavy": {"models": ["expert"]}}, {"a": {"models": ["quick", "expert"]}}], ids=str
)
def test_whatever_the_grouping_the_others_of_a_cascade_answer_for_a_stopped_model(
    processes: Any, groups: Any, stopped: str
) -> None:
    made = processes(groups=groups)
    made.live.change(stopped_models=frozenset({stopped}))
    through(made, ["0.95 a", "0.4 b"])
    other = "expert" if stopped == "quick" else "quick"
    assert not made.dead
    assert [body["model"] for body in made.results.values()] == [other, other]
    assert made.results[1]["route"]["reason"] == f"{stopped} is stopped"


def test_a_record_s_times_are_summed_up_over_all_processes(processes: Any) -> None:
    sections = {"groups": {"heavy": {"models": ["expert"]}}, "postprocess": [{"labels": {"threshold": 0.1}}]}
    made = through(processes(**sections), ["0.4 well"] * 50)  # of one, and no step, some take less than is told
    timings = made.results[0]["timings"]
    assert timings["total"] >= timings["queue"]
    assert all(timings[part] > 0 for part in ("preprocess", "inference", "postprocess"))


@pytest.mark.provokes("HR523")
def test_skipped_records_of_the_input_become_dead_letters_and_no_others(processes: Any) -> None:
    made = processes()
    made.live.change(skips={"ingress": {0: (1, 3)}, "expert": {0: (0, 99)}})
    through(made, ["a", "b", "c", "d"])
    assert {at: each.code for at, each in made.dead.items()} == {1: "HR523", 2: "HR523"}
    assert made.results.keys() == {0, 3}
    assert made.dead[1].stage == "ingress"


def test_a_skipped_frame_buries_each_record_that_it_holds(processes: Any) -> None:
    made = processes(groups={"heavy": {"models": ["expert"]}})
    made.live.change(skips={"expert": {0: (0, 1)}})
    through(made, ["0.4 a", "0.95 b", "0.3 c"])
    assert {at: (each.code, each.stage) for at, each in made.dead.items()} == {
        0: ("HR523", "expert"),
        2: ("HR523", "expert"),
    }
    assert made.results.keys() == {1}


def test_what_is_no_frame_is_a_dead_letter_of_its_own_bytes_and_the_next_is_read(processes: Any) -> None:
    made = processes(groups={"out": {"stages": ["egress"]}})
    entry = made.pipes["out"].entry("egress", Outbound(made.plan, "egress"))
    packed = encode_record(record("a", source=Position("reviews", 0, 5)))
    ((good, _),) = encode_frames(made.plan.hash, "expert", [packed, b"\xc1", packed], 1 << 20)
    outcome = entry([message(b"somebody's"), message(good, position=Position("reviews.link.egress", 0, 1))])
    assert [each.failure.code if each.failure else None for each in outcome.slots] == ["HR520", None, "HR520", None]
    assert outcome.slots[0].message is not None
    assert outcome.slots[0].message.value == b"somebody's"
    assert [len(each.outgoing) for each in outcome.slots] == [0, 1, 0, 1]


def test_a_version_that_a_process_does_not_have_is_said_there(processes: Any) -> None:
    made = processes(groups={"heavy": {"models": ["expert"]}})
    stage: ModelStage = made.pipes["heavy"].models["expert"]
    (version,) = stage.versions
    made.live.change(versions={**made.live.state.versions, "expert": "expert@7"})
    through(made, ["0.4 a", "0.95 b"])
    assert {at: each.code for at, each in made.dead.items()} == {0: "HR521"}
    assert version != "expert@7"
