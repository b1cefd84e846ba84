"""Where everything runs: which stages read a link, who commits for them, and how large a link's messages may be."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from headrace.core.plan.plan import Plan, TopicPlan

Compile = Callable[..., Plan]
Problems = Callable[..., list[str]]

CASCADE = """\
headrace: 1
pipeline: reviews
input: {topic: reviews, text: body, unit: user}
models:
  quick: lexicon
  expert: {stored: {model: expert}}
route: {cascade: {order: [quick, expert], accept: 0.9}}
output:
  - topic: {name: reviews.scored}
"""
CUT = CASCADE.replace("{model: expert}", "{model: expert, parts: 2, bytes_per_record: 4000}")
TRIAL = "experiments: {trial: {variants: {a: {}, b: {set: {models: {expert: {stored: {model: better}}}}}}}}\n"


def reads(plan: Plan) -> dict[str, str]:
    """Return the links, by the stage that reads each."""
    found = {stage.name: stage.reads for stage in plan.stages if stage.reads and stage.kind != "ingress"}
    return {name: topic.removeprefix("reviews.link.") for name, topic in found.items()}


def links(plan: Plan) -> dict[str, TopicPlan]:
    return {topic.name: topic for topic in plan.topics if topic.role == "link"}


def test_one_process_has_no_links(compiled: Compile) -> None:
    plan = compiled(CASCADE)
    assert reads(plan) == {}
    assert links(plan) == {}
    assert [stage.reads for stage in plan.stages] == ["reviews", None, None, None]
    assert [group.name for group in plan.groups.values()] == ["main"]


@pytest.mark.parametrize(
    ("groups", "linked"),
    [
        pytest.param("{heavy: {models: [expert]}}", {"expert", "egress"}, id="the second model apart"),
        pytest.param("{light: {models: [quick]}}", {"quick", "expert", "egress"}, id="the first model apart"),
        pytest.param("{out: {stages: [egress]}}", {"egress"}, id="egress apart"),
        pytest.param("{in: {stages: [ingress]}}", {"quick", "egress"}, id="ingress apart"),
        pytest.param("{a: {models: [quick, expert]}}", {"quick", "egress"}, id="both models apart, together"),
        pytest.param(
            "{a: {models: [quick]}, b: {models: [expert]}}", {"quick", "expert", "egress"}, id="each on its own"
        ),
        pytest.param("{a: {models: [expert], stages: [egress]}}", {"expert", "egress"}, id="with egress"),
        pytest.param("{main: {replicas: 3}}", set(), id="more of the same"),
    ],
)
def test_a_stage_reads_a_link_when_a_record_may_come_from_another_process(
    compiled: Compile, groups: str, linked: set[str]
) -> None:
    plan = compiled(f"{CASCADE}groups: {groups}\n")
    assert reads(plan) == {name: name for name in linked}
    assert set(links(plan)) == {f"reviews.link.{name}" for name in linked}


def test_shards_get_a_process_each_and_a_link_each(compiled: Compile) -> None:
    plan = compiled(CUT)
    assert {stage.name: stage.group for stage in plan.stages} == {
        "ingress": "main",
        "quick": "main",
        "expert.1": "expert-1",
        "expert.2": "expert-2",
        "egress": "main",
    }
    assert set(reads(plan)) == {"expert.1", "expert.2", "egress"}
    assert [(stage.shard, stage.shards) for stage in plan.groups["expert-2"].stages] == [(1, 2)]
    assert next(iter(plan.groups)) == "main", "the group of ingress first"


def test_shards_in_one_process_hand_on_without_a_link(compiled: Compile) -> None:
    plan = compiled(f"{CUT}groups: {{gpu: {{models: [expert], replicas: 2}}}}\n")
    assert set(reads(plan)) == {"expert.1", "egress"}
    assert [stage.name for stage in plan.groups["gpu"].stages] == ["expert.1", "expert.2"]
    assert plan.groups["gpu"].replicas == 2


@pytest.mark.parametrize(
    "groups", ["", "groups: {a: {models: [expert]}}\n", "groups: {b: {stages: [egress, quick]}}\n"]
)
@pytest.mark.parametrize("text", [CASCADE, CUT], ids=["whole", "cut"])
def test_whatever_the_grouping_each_stage_keeps_its_consumer_group_and_its_link_s_name(
    compiled: Compile, text: str, groups: str
) -> None:
    plan = compiled(text + groups)
    assert {stage.consumer_group for stage in plan.stages} == {f"reviews.{stage.name}" for stage in plan.stages}
    assert all(stage.reads in (None, "reviews", f"reviews.link.{stage.name}") for stage in plan.stages)


def test_a_variant_s_model_is_a_stage_of_its_own_beside_the_base_s(compiled: Compile) -> None:
    plan = compiled(f"{CASCADE}{TRIAL}groups: {{new: {{stages: [expert.trial.b]}}}}\n")
    stages = {stage.name: stage for stage in plan.stages}
    assert list(stages) == ["ingress", "quick", "expert", "expert.trial.b", "egress"]
    assert (stages["expert.trial.b"].model, stages["expert.trial.b"].group) == ("expert", "new")
    assert set(reads(plan)) == {"expert.trial.b", "egress"}
    versions = {base: model.facts.version for base, model in plan.model_plans()}
    assert (versions["expert"], versions["expert.trial.b"]) == ("expert@1", "better@1")


def test_a_variant_s_route_reaches_models_that_the_base_s_does_not(compiled: Compile) -> None:
    text = CASCADE.replace("{cascade: {order: [quick, expert], accept: 0.9}}", "{single: {model: quick}}")
    groups = "groups: {heavy: {models: [expert]}}\n"
    trial = "experiments: {trial: {variants: {a: {}, b: {set: {route: {single: {model: expert}}}}}}}\n"
    assert "expert" in reads(compiled(text + groups + trial))
    assert "expert" in reads(compiled(CASCADE + groups))
    plan = compiled(text + groups.replace("expert", "quick"))
    assert set(reads(plan)) == {"quick", "egress"}, "nothing leads to the other one"


# -- sizes


def limit(plan: Plan, stage: str) -> int:
    found = links(plan)[f"reviews.link.{stage}"].max_bytes
    assert found is not None
    return found


HEADROOM_BYTES = 65_536


def test_a_link_takes_a_frame_and_the_largest_single_record(compiled: Compile) -> None:
    plan = compiled(CUT)
    record = 3 * plan.input.intake.max_bytes
    assert limit(plan, "expert.1") == limit(plan, "egress") == record + HEADROOM_BYTES
    assert limit(plan, "expert.2") == record + 4000 + HEADROOM_BYTES, "the tensors of the part before it"


def test_a_link_takes_a_whole_frame_when_records_are_small(compiled: Compile) -> None:
    small = CUT.replace("unit: user", "unit: user, max_bytes: 1000B").replace(
        "output:", "link: {max_bytes: 2MB}\noutput:"
    )
    assert limit(compiled(small), "expert.2") == 2_000_000 + HEADROOM_BYTES


def test_halved_tensors_take_half(compiled: Compile) -> None:
    whole, halved = compiled(CUT), compiled(CUT.replace("output:", "link: {tensors: float16}\noutput:"))
    assert limit(whole, "expert.2") - limit(halved, "expert.2") == 2000


def test_nothing_on_a_link_expires_by_itself(compiled: Compile) -> None:
    for topic in links(compiled(CUT)).values():
        assert (topic.config["cleanup.policy"], topic.config["retention.ms"]) == ("delete", "-1")
        assert topic.partitions is None, "as many as the input"


@pytest.mark.provokes("HR121")
def test_a_record_that_kafka_could_not_carry_is_refused_before_it_comes(problems: Problems) -> None:
    (line,) = problems(CUT.replace("4000", "90_000_000").replace("output:", "link: {max_bytes: 1MB}\noutput:"))
    assert re.match(r"p\.yaml:8:1 HR121 one record may take 93,\d{3},\d{3} bytes on the link to expert\.2;", line), line
    assert line.endswith("lower the model's max_tokens or input.max_bytes, or set link: {tensors: float16}")
    halved: Any = CUT.replace("4000", "90_000_000").replace("output:", "link: {tensors: float16}\noutput:")
    assert problems(halved) == []
