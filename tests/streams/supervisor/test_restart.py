"""When a child is started again, how soon, and when it is given up."""

from __future__ import annotations

import signal

import pytest
from hypothesis import given
from hypothesis.strategies import builds, floats, integers, lists

from headrace.streams.supervisor.restart import FIRST_S, JITTER, LONGEST_S, STEADY_S, Death, Restarts

CRASH = Death(-signal.SIGSEGV, 1.0)
FAILURE = Death(1, 2.0)
KILLED_AT_WORK = Death(-signal.SIGKILL, 3.0, was_ready=True)

seconds = floats(0, 100)
crashes = builds(Death, integers(-64, -1) | integers(3, 125), seconds)
deaths = builds(Death, integers(-64, 255), seconds)


def restarts(chance: float = 0.0) -> Restarts:
    return Restarts(lambda: chance)


def test_the_pause_grows_to_half_a_minute_while_it_dies_young() -> None:
    judge = restarts()
    pauses = [judge.judge(CRASH).pause_s or 0 for _ in range(8)]
    assert pauses == pytest.approx([0.1, 0.3, 0.9, 2.7, 8.1, 24.3, 30, 30])


@pytest.mark.parametrize("steady", [KILLED_AT_WORK, Death(-signal.SIGKILL, STEADY_S)])
def test_the_pause_starts_anew_after_it_was_at_work(steady: Death) -> None:
    judge = restarts()
    for _ in range(5):
        judge.judge(CRASH)
    assert judge.judge(steady).pause_s == FIRST_S
    assert judge.judge(CRASH).pause_s == FIRST_S


@pytest.mark.parametrize("code", [0, 2, 126, 127])
def test_some_ends_are_for_good(code: int) -> None:
    assert restarts().judge(Death(code, 100.0, was_ready=True)).pause_s is None


def test_three_failures_in_a_row_are_enough() -> None:
    judge = restarts()
    assert judge.judge(FAILURE).pause_s
    assert judge.judge(CRASH).pause_s
    assert [judge.judge(FAILURE).pause_s is None for _ in range(3)] == [False, False, True]


def test_failures_after_it_was_once_at_work_may_pass() -> None:
    judge = restarts()
    judge.judge(KILLED_AT_WORK)
    assert all(judge.judge(FAILURE).pause_s for _ in range(50))


@given(lists(crashes, max_size=300), floats(0, 1))
def test_a_crash_never_gives_up_nor_waits_longer_than_the_longest_pause(ends: list[Death], chance: float) -> None:
    judge = restarts(chance)
    for end in ends:
        pause_s = judge.judge(end).pause_s
        assert pause_s is not None
        assert FIRST_S <= pause_s <= LONGEST_S * (1 + JITTER)


@given(lists(deaths, max_size=20), floats(0, 1))
def test_a_first_death_at_work_is_mended_within_a_fifth_of_a_second(before: list[Death], chance: float) -> None:
    judge = restarts(chance)
    for death in before:
        judge.judge(death)
    pause_s = judge.judge(KILLED_AT_WORK).pause_s
    assert pause_s is not None
    assert pause_s <= 0.2


def test_what_ended_it_is_said_in_words() -> None:
    assert str(KILLED_AT_WORK) == "was killed by SIGKILL after 3.0 s"
    assert Death(-40, 0).cause == "was killed by signal 40"
    assert FAILURE.cause == "ended with exit code 1"
