"""A decision under way: who runs next, who served, and why."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.routing.decision import Candidate, Decision
from headrace.core.routing.slip import Slip, advance, ends_alike


def cascade(*rules: float | str | None) -> Slip:
    steps = tuple(Candidate(model=f"m{number}", accept_if=rule) for number, rule in enumerate(rules))
    return Slip(policy="cascade", decision=Decision(combine="cascade", steps=steps, reason="as the file says"))


def never(rule: str, output: Any) -> bool:
    return False


def test_a_single_decision_is_done_after_its_model() -> None:
    slip = Slip(policy="single", decision=Decision(combine="single", steps=(Candidate(model="m0"),), reason="told"))
    assert slip.next == Candidate(model="m0")
    assert (slip.assigned_model, slip.served_model) == ("m0", None)
    done = advance(slip, {"score": 0.0}, never)
    assert (done.next, done.path, done.served_model, done.reason) == (None, ("m0",), "m0", "told")


def test_a_sure_model_ends_a_cascade_and_says_so() -> None:
    done = advance(cascade(0.9, None), {"score": 0.93}, never)
    assert (done.next, done.path, done.reason) == (None, ("m0",), "m0 scored 0.93, at least 0.9")


def test_an_unsure_one_passes_on_and_the_next_one_s_reason_is_why_it_was_asked() -> None:
    passed = advance(cascade(0.9, None), {"score": 0.5}, never)
    assert passed.next == Candidate(model="m1")
    done = advance(passed, {"score": 0.1}, never)
    assert (done.next, done.path, done.served_model) == (None, ("m0", "m1"), "m1")
    assert done.reason == "m0 scored 0.5, less than 0.9"
    assert done.assigned_model == "m0"


def test_of_three_models_the_last_reason_stands() -> None:
    slip = advance(advance(cascade(0.9, 0.8, None), {"score": 0.5}, never), {"score": 0.6}, never)
    assert advance(slip, {}, never).reason == "m1 scored 0.6, less than 0.8"


@pytest.mark.parametrize("output", [{}, {"score": None}])
def test_an_output_without_a_score_is_not_sure(output: dict[str, Any]) -> None:
    assert advance(cascade(0.9, None), output, never).reason == "m0 gave no score"


def test_nan_is_not_sure() -> None:
    assert advance(cascade(0.9, None), {"score": math.nan}, never).next is not None


def test_the_last_model_s_output_stands_whatever_it_scored() -> None:
    assert advance(cascade(0.9), {"score": 0.1}, never).next is None
    assert advance(cascade(0.9), {"score": None}, never).reason == "as the file says"


@pytest.mark.parametrize(("holds", "reason"), [(True, "as the file says"), (False, "m0 did not satisfy output.x")])
def test_an_expression_decides_over_the_output(holds: bool, reason: str) -> None:
    asked: list[Any] = []

    def accepts(rule: str, output: Any) -> bool:
        asked.append((rule, output))
        return holds

    after = advance(cascade("output.x", None), {"x": 1}, accepts)
    assert asked == [("output.x", {"x": 1})]
    assert (after.next is None, after.reason) == (holds, reason)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5), st.lists(st.floats(0, 1), min_size=5, max_size=5))
def test_a_cascade_stops_at_the_first_score_that_reaches_its_rule_or_at_the_last(
    rules: list[float], scores: list[float]
) -> None:
    slip = cascade(*rules)
    for score in scores:
        if slip.next is None:
            break
        slip = advance(slip, {"score": score}, never)
    pairs = list(zip(rules, scores, strict=False))
    sure = [number for number, (rule, score) in enumerate(pairs) if score >= rule]
    last = min([*sure, len(rules) - 1])
    assert slip.next is None
    assert slip.path == tuple(f"m{number}" for number in range(last + 1))


@given(
    st.sampled_from(("single", "cascade", "chain", "parallel")),
    st.lists(st.sampled_from((None, 0.5, 1, "output.sure")), min_size=1, max_size=2),
    st.sampled_from(("", "m0 was not sure")),
    st.tuples(*[st.fixed_dictionaries({}, optional={"score": st.none() | st.floats(0, 1)})] * 2),
)
def test_a_slip_that_ends_alike_does_so_whatever_is_said(
    combine: Any, rules: list[Any], reason: str, outputs: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    decision = Decision(combine=combine, steps=cascade(*rules).decision.steps, reason="as the file says")
    slip = Slip(policy=combine, decision=decision, reason=reason)
    assert not (ends_alike(slip) and combine != "single")
    if ends_alike(slip):
        one, other = (advance(slip, output, never) for output in outputs)
        assert one == other
        assert one.at is None
