"""Stages and their groups: what a model becomes, and where it runs when the file says nothing of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from headrace.core.plan.stages import EGRESS, INGRESS, GroupPlan, StagePlan, StageSketch, group_stages, model_stages
from headrace.core.step import ModelFacts, ShardFacts

WHOLE = ModelFacts("1")
CUT = ModelFacts("1", shards=tuple(ShardFacts(1, str(at)) for at in range(3)))
STAGES = [
    StageSketch(INGRESS, "ingress", (), INGRESS),
    *model_stages("quick", "quick", "lexicon", WHOLE),
    *model_stages("expert", "expert", "onnx", CUT),
    *model_stages("quick.trial.b", "quick", "lexicon", WHOLE),
    *model_stages("expert.trial.b", "expert", "onnx", CUT),
    StageSketch(EGRESS, "egress", (), EGRESS),
]


def test_a_whole_model_is_one_stage_of_its_name() -> None:
    (stage,) = model_stages("quick", "quick", "lexicon", WHOLE)
    assert (stage.name, stage.base, stage.model, stage.steps) == ("quick", "quick", "quick", ("lexicon",))
    assert (stage.shard, stage.shards, stage.is_last) == (None, 1, True)


def test_each_part_of_a_sharded_model_is_a_stage_and_only_the_last_gives_outputs() -> None:
    stages = model_stages("expert", "expert", "onnx", CUT)
    assert [(each.name, each.base, each.shard, each.shards, each.is_last) for each in stages] == [
        ("expert.1", "expert", 0, 3, False),
        ("expert.2", "expert", 1, 3, False),
        ("expert.3", "expert", 2, 3, True),
    ]


OWN = {
    "expert.1": "expert-1",
    "expert.2": "expert-2",
    "expert.3": "expert-3",
    "expert.trial.b.1": "expert-trial-b-1",
    "expert.trial.b.2": "expert-trial-b-2",
    "expert.trial.b.3": "expert-trial-b-3",
}


@pytest.mark.parametrize(
    ("written", "apart"),
    [
        pytest.param({}, OWN, id="parts get a group each, the rest is in main"),
        pytest.param({"heavy": ["quick"]}, {**OWN, "quick": "heavy", "quick.trial.b": "heavy"}, id="variants too"),
        pytest.param(
            {"gpu": ["expert"]}, dict.fromkeys(OWN, "gpu"), id="a model's name puts all parts into one process"
        ),
        pytest.param({"a": ["expert.1"], "b": ["ingress"]}, {**OWN, "expert.1": "a", "ingress": "b"}, id="one part"),
        pytest.param(
            {"a": ["expert"], "b": ["expert.2"]},
            {**dict.fromkeys(OWN, "a"), "expert.2": "b"},
            id="the stage's own name counts before its model's",
        ),
        pytest.param(
            {"new": ["expert.trial.b"]},
            {**OWN, **{name: "new" for name in OWN if "trial" in name}},
            id="what a variant changes can be apart from the base's",
        ),
    ],
)
def test_every_stage_has_the_group_that_names_it_most_closely(
    written: Mapping[str, Sequence[str]], apart: Mapping[str, str]
) -> None:
    groups = group_stages(STAGES, written)
    assert list(groups) == [stage.name for stage in STAGES]
    assert {name: group for name, group in groups.items() if group != "main"} == apart


def test_the_entries_of_a_group_are_the_stages_that_read() -> None:
    reads = StagePlan("expert", "model", (), reads="reviews.link.expert")
    group = GroupPlan("heavy", "reviews", (StagePlan("quick", "model", ()), reads))
    assert group.entries == (reads,)
    assert (group.app_id, group.heartbeat_topic) == ("reviews.heavy.app", "reviews.heavy.heartbeat")
