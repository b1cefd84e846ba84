"""A run is clean when every fault struck under load and nothing is wrong but doubles that at least once allows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chaos.finding import DOUBLED, KINDS, LOST, Finding
from tests.chaos.report import Report
from tests.chaos.schedule import EVERYWHERE, Fault, Kind
from tests.chaos.strike import Strike

FAULTS = (Fault(1, Kind.KILL, "main", 100, 0.5, 0.5), Fault(2, Kind.POISON, EVERYWHERE, 200, 0.5, 0.5))
STRIKES = (Strike(FAULTS[0], "", 64, 300, 4.0, 128), Strike(FAULTS[1], "HR501", 128, 300, None, 0))


def report(*findings: Finding, strikes: tuple[Strike, ...] = STRIKES, exactly_once: bool = False) -> Report:
    return Report(
        title="at_least_once, groups: 1, seed 7",
        scheduled=2,
        strikes=strikes,
        findings=findings,
        records=1_000,
        exactly_once=exactly_once,
        deaths=(),
        took_s=60.0,
        replay="python -m tests.chaos --seed 7",
    )


def test_a_clean_run_says_how_to_run_it_again_and_what_struck() -> None:
    lines = [*report().lines()]
    assert report().faults == []
    assert lines[0] == "at_least_once, groups: 1, seed 7: 1,000 records, 2 of 2 faults, 60 s"
    assert lines[-1] == "  clean; again: python -m tests.chaos --seed 7"
    assert [line.split()[:2] for line in lines[2:4]] == [["SIGKILL", "1"], ["poison", "1"]]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != DOUBLED])
def test_one_finding_makes_it_unclean(kind: str) -> None:
    assert report(Finding(kind, "in:0:1", "so it is")).faults == [f"1 {kind}"]


def test_as_many_doubles_as_were_in_flight_of_those_hit_are_allowed_and_not_one_more() -> None:
    assert report(Finding(DOUBLED, "in:0:1", "twice", 128)).faults == []
    assert report(Finding(DOUBLED, "in:0:1", "twice", 129)).faults == ["129 doubled, at most 128 may be"]
    assert report(Finding(DOUBLED, "in:0:1", "twice"), exactly_once=True).faults == ["1 doubled, at most 0 may be"]


@pytest.mark.parametrize("spoilt", [{"in_flight": 0}, {"lag": 0}, {"counts": False}])
def test_a_fault_that_struck_an_idle_worker_does_not_count(spoilt: dict[str, Any]) -> None:
    found = report(strikes=(STRIKES[0]._replace(**spoilt), STRIKES[1]))
    assert found.faults == ["1 of 2 faults struck under lag with a batch in flight"]
    again = report(strikes=(STRIKES[0]._replace(**spoilt), *STRIKES))
    assert again.faults == []


def test_what_is_wrong_is_told_by_record_but_no_more_than_some_of_each_kind() -> None:
    lines = [*report(*(Finding(LOST, f"in:0:{at}", "no result on out") for at in range(30))).lines()]
    assert "  lost: in:0:0: no result on out" in lines
    assert sum(line.startswith("  lost: in:0:") for line in lines) == 10
