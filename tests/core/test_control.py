"""Settings in force: each question, and that a change makes new ones."""

from __future__ import annotations

import pytest

from headrace.core.control import Settings
from headrace.core.wire.control import (
    AliasMove,
    ExperimentPhase,
    ModelReady,
    ModelSwitch,
    PlanSeen,
    SettingFormError,
    Skip,
    StagePause,
)


def settings(**values: object) -> Settings:
    made = Settings()
    for key, value in values.items():
        made = made.with_change(key, value)  # type: ignore[arg-type]
    return made


def test_a_change_leaves_the_old_settings_as_they_were() -> None:
    before = Settings()
    paused = before.with_change("paused/expert", StagePause(why="rest"))
    assert paused.is_paused("expert")
    assert not paused.is_paused("expert.1")
    assert paused.paused() == {"expert": "rest"}
    assert not before.is_paused("expert")
    assert paused.with_change("paused/expert", None) == before
    assert paused != before


def test_values_may_come_as_bytes_as_mappings_or_as_models() -> None:
    one = Settings().with_change("alias/reviews@prod", b'{"version": "2"}')
    assert one == Settings().with_change("alias/reviews@prod", {"version": 2})
    assert one == Settings().with_change("alias/reviews@prod", AliasMove(version="2"))
    assert one.aliases() == {"reviews@prod": "2"}
    assert one.value("alias/reviews@prod") == AliasMove(version="2")


def test_what_is_damaged_changes_nothing_and_what_is_unknown_is_passed_over() -> None:
    before = settings(**{"paused/expert": {"why": "rest"}})
    with pytest.raises(SettingFormError):
        before.with_change("paused/expert", b"{")
    assert before.with_change("moon/phase", b"{") == before
    assert before.is_paused("expert")


def test_experiments_have_phases_and_are_stopped() -> None:
    made = settings(
        **{"experiment/price": {"phase": 2, "fingerprint": "f"}, "stopped/experiment/price": {"why": "harm"}}
    )
    assert made.phase("price") == ExperimentPhase(phase=2, fingerprint="f")
    assert made.phase("other") is None
    assert made.phases() == {"price": 2}
    assert made.stopped_experiments() == {"price": "harm"}
    assert made.stopped_models() == {}


def test_whoever_opens_a_phase_first_has_it_and_phases_only_grow() -> None:
    opened = settings(**{"experiment/price": {"phase": 2, "fingerprint": "first"}})
    for late in ({"phase": 2, "fingerprint": "second"}, {"phase": 1, "fingerprint": "old"}):
        assert opened.with_change("experiment/price", late) == opened
    grown = opened.with_change("experiment/price", {"phase": 3, "fingerprint": "second"})
    assert grown.phase("price") == ExperimentPhase(phase=3, fingerprint="second")
    assert grown.with_change("experiment/price", None).phase("price") is None


def test_models_are_stopped_by_name() -> None:
    assert settings(**{"stopped/model/expert": {"why": "cost"}}).stopped_models() == {"expert": "cost"}


def test_records_that_are_passed_over_are_kept_by_stage() -> None:
    made = settings(**{"skip/egress/record/in:0:7": {}, "skip/egress/record/in:1:2": {}, "skip/a/record/in:0:7": {}})
    assert made.skipped_records() == {"egress": {"in:0:7", "in:1:2"}, "a": {"in:0:7"}}
    assert made.skips() == {}


def test_skips_are_kept_by_stage_and_partition() -> None:
    made = settings(**{"skip/ingress/3": {"from": 5, "until": 7}, "skip/expert.1/0": {"from": 0, "until": 1}})
    assert made.skip("ingress", 3) == Skip(first=5, until=7)
    assert made.skip("ingress", 0) is None
    assert made.skips()["expert.1"] == {0: Skip(first=0, until=1)}


def test_full_partitions_are_told_with_what_is_under_way() -> None:
    made = settings(**{"full/3": {"records": 50_001}})
    assert made.full() == {3: 50_001}
    assert made.with_change("full/3", None).full() == {}


def test_who_is_ready_and_who_has_switched_is_told_by_version() -> None:
    made = settings(
        **{
            "ready/reviews@2/expert.1/h-0": {"ok": True},
            "ready/reviews@2/expert.2/h-1": {"ok": False, "why": "no memory"},
            "ready/reviews@1/expert.1/h-0": {"ok": True},
            "switched/reviews@2/h-0": {"ends": {"expert.1": {"0": 17}}},
        }
    )
    assert made.ready("reviews", "2") == {
        ("expert.1", "h-0"): ModelReady(ok=True),
        ("expert.2", "h-1"): ModelReady(ok=False, why="no memory"),
    }
    assert made.switched("reviews", "2") == {"h-0": ModelSwitch(ends={"expert.1": {0: 17}})}
    assert made.switched("reviews", "1") == {}
    assert len(list(made.all_ready())) == 3


def test_plans_that_ran_are_known() -> None:
    assert settings(**{"plan/abc": {"file": "f", "facts": {"stages": ["ingress"]}}}).plans() == {
        "abc": PlanSeen(file="f", facts={"stages": ["ingress"]})
    }


def test_an_alias_that_is_on_its_way_is_agreed_on_as_what_it_was_before() -> None:
    moving = Settings().with_change("alias/reviews@prod", {"version": 2, "before": 1})
    assert (moving.aliases(), moving.agreed_aliases()) == ({"reviews@prod": "2"}, {"reviews@prod": "1"})
    done = moving.with_change("alias/reviews@prod", {"version": 2})
    assert done.agreed_aliases() == done.aliases() == {"reviews@prod": "2"}
