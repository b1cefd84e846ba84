"""The fire escape: the guilty are found wherever they stand, the innocent pass, and patience has an end."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.errors import ConfigError, RecordError, StepContractError
from headrace.streams.bisect import Retries, Trap, as_failure, isolate, owed


def retries(limit: int = 0, **more: Any) -> Retries:
    return Retries(limit=limit, **{"sleep": lambda _: None, "clock": lambda: 0.0, **more})


class Step:
    """Doubles numbers; fails on a batch that holds a bad one, so many times for each."""

    def __init__(self, bad: set[int], times: float = math.inf) -> None:
        self.failures = dict.fromkeys(bad, times)
        self.calls: list[list[int]] = []

    def __call__(self, items: Sequence[int]) -> Sequence[int]:
        self.calls.append(list(items))
        for item in items:
            if self.failures.get(item, 0) > 0:
                if len(items) == 1:
                    self.failures[item] -= 1
                raise ValueError(item)
        return [2 * item for item in items]


@given(st.integers(1, 64), st.data())
def test_exactly_the_bad_ones_fail_wherever_they_stand(count: int, data: st.DataObject) -> None:
    bad = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    step = Step(bad)
    outcomes = isolate(step, list, range(count), ValueError("first"), retries())
    assert [isinstance(outcome, BaseException) for outcome, _ in outcomes] == [item in bad for item in range(count)]
    assert [outcome for outcome, _ in outcomes if not isinstance(outcome, BaseException)] == [
        2 * item for item in range(count) if item not in bad
    ]
    assert all(str(outcome) in (str(item), "first") for item, (outcome, _) in enumerate(outcomes) if item in bad)


@given(st.integers(2, 256), st.data())
def test_the_search_takes_few_calls(count: int, data: st.DataObject) -> None:
    bad = data.draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=4))
    step = Step(bad)
    isolate(step, list, range(count), ValueError(), retries())
    assert len(step.calls) <= 2 * len(bad) * math.ceil(math.log2(count))


def test_a_batch_that_has_just_failed_is_not_asked_as_a_whole_again() -> None:
    step = Step({0})
    isolate(step, list, range(8), ValueError(), retries())
    assert list(range(8)) not in step.calls


@pytest.mark.parametrize("batch", [1, 2, 7, 64])
@pytest.mark.parametrize("limit", [0, 1, 3])
def test_what_fails_alone_is_tried_again_as_often_as_the_file_says(batch: int, limit: int) -> None:
    step = Step({0})
    outcomes = isolate(step, list, range(batch), ValueError(), retries(limit))
    alone = Counter(tuple(call) for call in step.calls)[(0,)]
    assert alone == limit + (batch > 1)  # a batch of one has failed alone already
    assert [attempts for _, attempts in outcomes] == [1 + limit] + [1] * (batch - 1)


def test_a_step_that_fails_twice_and_then_works_gives_attempt_three() -> None:
    step = Step({0}, times=1)  # the call that brought us here was its first failure
    assert isolate(step, list, [0], ValueError(), retries(3)) == [(0, 3)]


def test_only_those_that_still_fail_are_tried_again() -> None:
    step = Step({1, 3}, times=2)
    outcomes = isolate(step, list, range(4), ValueError(), retries(3))
    assert outcomes == [(0, 1), (2, 3), (4, 1), (6, 3)]
    assert Counter(item for call in step.calls for item in call)[0] <= 2


def test_a_record_that_is_itself_wrong_is_not_tried_again() -> None:
    calls = []

    def refuse(items: list[int]) -> list[int]:
        calls.append(items)
        raise RecordError("wrong")

    ((outcome, attempts),) = isolate(refuse, list, [1], RecordError("wrong"), retries(5))
    assert (calls, attempts) == ([], 1)
    assert isinstance(outcome, RecordError)


def test_the_pauses_double_and_end_with_the_budget() -> None:
    now, pauses = [0.0], []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    patient = Retries(limit=20, backoff_s=0.1, budget_s=10.0, sleep=sleep, clock=lambda: now[0])
    isolate(Step({0}), list, [0], ValueError(), patient)
    assert sum(pauses) <= 10.0
    assert 4 <= len(pauses) <= 8
    for number, pause in enumerate(pauses):
        assert 0.5 <= pause / (0.1 * 2**number) <= 1.5


def test_time_that_the_step_takes_counts_against_the_budget() -> None:
    now = [0.0]

    def slow(items: list[int]) -> list[int]:
        now[0] += 6.0
        raise ValueError

    ((_, attempts),) = isolate(slow, list, [1], ValueError(), Retries(20, 0.1, 10.0, lambda _: None, lambda: now[0]))
    assert attempts == 3


@pytest.mark.provokes("HR603")
@pytest.mark.parametrize(
    ("answers", "fault"),
    [
        ([1], "returned 1 items for 2"),
        ([1, 2, 3], "3 items for 2"),
        (None, "NoneType, not a sequence"),
        (3, "int, not"),
    ],
)
def test_a_step_owes_one_answer_for_each_record(answers: Any, fault: str) -> None:
    with pytest.raises(StepContractError, match=fault):
        owed(answers, 2)
    assert owed([1, 2], 2) == [1, 2]


def test_an_answer_too_few_is_a_failure_like_any_other() -> None:
    def drop(items: list[int]) -> list[int]:
        return [item for item in items if item != 3]

    outcomes = isolate(drop, list, range(5), ValueError(), retries(1))
    assert [outcome for outcome, _ in outcomes if not isinstance(outcome, BaseException)] == [0, 1, 2, 4]
    assert isinstance(outcomes[3][0], StepContractError)


@pytest.mark.parametrize("error", [ValueError(), SystemExit(3), asyncio.CancelledError(), KeyboardInterrupt()])
def test_nothing_that_a_plugin_raises_escapes(error: BaseException) -> None:
    with Trap() as trap:
        raise error
    assert trap.error is error


def test_a_trap_that_caught_nothing_says_so() -> None:
    with Trap() as trap:
        pass
    assert trap.error is None


@pytest.mark.provokes("HR501")
def test_a_stranger_s_error_becomes_a_sentence_with_its_trace() -> None:
    with Trap() as trap:
        raise ValueError("it hurts:\n  here")
    assert trap.error is not None
    failure = as_failure(trap.error, stage="ingress", plugin="shout", attempt=4, output="out")
    assert failure.message == "step 'shout' raised ValueError: it hurts: here; correct the plugin, or the record"
    assert (failure.code, failure.error, failure.kind, failure.attempt) == ("HR501", "ValueError", "author", 4)
    assert (failure.stage, failure.plugin, failure.output) == ("ingress", "shout", "out")
    assert 'ValueError("it hurts' in failure.stacktrace


def test_our_own_error_keeps_code_and_mend_and_a_wrong_record_needs_no_trace() -> None:
    class PickyError(RecordError):
        code = "PLUG1"

    own = as_failure(PickyError("too long", mend="shorten it"), stage="s", plugin="p")
    assert (own.code, own.message, own.kind, own.stacktrace) == ("PLUG1", "too long; shorten it", "publisher", "")
    assert as_failure(ConfigError("x"), stage="s", plugin="p").stacktrace


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


class HalfMadeError(RecordError):
    code = "PLUG2"

    def __init__(self) -> None:
        pass


class NumberError(RecordError):
    code = 7  # type: ignore[assignment]


@pytest.mark.parametrize("error", [MuteError(), HalfMadeError(), NumberError(3), RecordError("no code"), OSError()])  # type: ignore[arg-type]
def test_an_error_of_any_make_becomes_a_failure_of_texts(error: BaseException) -> None:
    failure = as_failure(error, stage="s", plugin="p")
    assert failure.code
    assert all(isinstance(getattr(failure, name), str) for name in ("code", "error", "message", "stacktrace"))
