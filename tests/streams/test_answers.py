"""What workers said of versions, and which of it is left behind by workers that are gone."""

from __future__ import annotations

from pathlib import Path

from headrace.core.control import Settings
from headrace.streams.answers import answers_of, gone_answers, ready_key
from tests.support.planned import compiled

GROUPS = {"front": {"stages": ["ingress"]}, "heavy": {"models": ["expert"]}}


def settings(*keys: str) -> Settings:
    found = Settings()
    for key in keys:
        found = found.with_change(key, {"ok": True})
    return found


SAID = settings(
    "ready/tiny@2/quick/w1",
    "ready/tiny@2/expert.1/w1",
    "ready/tiny@2/expert.1/w2",
    "ready/tiny@1/expert.1/w2",
    "switched/tiny@2/w1",
    "switched/tiny@2/w3",
)


def test_what_was_said_of_one_version_is_found() -> None:
    assert list(answers_of(SAID, "tiny", "1")) == ["ready/tiny@1/expert.1/w2"]
    assert list(answers_of(SAID, "tiny", "2"))[-2:] == ["switched/tiny@2/w1", "switched/tiny@2/w3"]
    assert ready_key("expert.1", "tiny@1", "w2") in answers_of(SAID, "tiny", "1")


def test_a_worker_judges_those_of_its_own_group_only(tmp_path: Path) -> None:
    plan = compiled(tmp_path, groups=GROUPS)
    assert gone_answers(SAID, plan, {"heavy": frozenset({"w1"})}) == [
        "ready/tiny@2/expert.1/w2",
        "ready/tiny@1/expert.1/w2",
    ]
    assert gone_answers(SAID, plan, {"front": frozenset({"w1", "w2"})}) == ["switched/tiny@2/w3"]


def test_what_was_said_for_a_stage_that_there_is_no_more_goes_when_every_group_was_asked(tmp_path: Path) -> None:
    plan, said = compiled(tmp_path, groups=GROUPS), settings("ready/tiny@2/dropped/w1", "ready/tiny@2/dropped/w2")
    some = {"front": frozenset({"w1"}), "heavy": frozenset({"w1"})}
    assert gone_answers(said, plan, some) == []
    assert gone_answers(said, plan, {**some, "main": frozenset()}) == ["ready/tiny@2/dropped/w2"]
