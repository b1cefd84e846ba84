"""The router `parallel`: one decision for all records, and options that fit each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from headrace import Batch, Record, StepContext
from headrace.core.routing.decision import decision_fault
from headrace.plugins.routers.parallel import Parallel, ParallelOptions

MakeRecord = Callable[..., Record]
CONTEXT = StepContext(pipeline="reviews", name="parallel", registry="", models=("a", "b", "c"))


def parallel(**options: Any) -> Parallel:
    return Parallel(ParallelOptions.model_validate({"models": ["a", "b", "c"], "join": "vote", **options}))


def test_every_record_gets_the_same_decision(record: MakeRecord) -> None:
    first, second = parallel().route(Batch([record("a"), record("b")]))
    assert first is second
    assert (first.combine, first.join, first.propensity) == ("parallel", "vote", 1.0)
    assert first.reason == "every record goes to a, b, c"


def test_the_decision_says_what_the_options_do(record: MakeRecord) -> None:
    router = parallel(join="average", quorum=2, deadline="500ms", weights={"c": 2})
    (decision,) = router.route(Batch([record()]))
    assert [(each.model, each.weight) for each in decision.steps] == [("a", 1.0), ("b", 1.0), ("c", 2.0)]
    assert (decision.join, decision.needed, decision.deadline_ms) == ("average", 2, 500.0)
    assert decision_fault(decision) is None
    assert router.joins(CONTEXT) == (decision,)


@pytest.mark.parametrize(("join", "needed"), [("first", 1), ("vote", 3), ("best", 3)])
def test_all_answers_are_needed_but_for_the_first(join: str, needed: int) -> None:
    (decision,) = parallel(join=join).joins(CONTEXT)
    assert decision.needed == needed


def test_no_model_follows_another() -> None:
    assert parallel().models(CONTEXT) == ("a", "b", "c")
    assert parallel().orders(CONTEXT) == (("a",), ("b",), ("c",))


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"models": ["a"]}, "at least 2 items"),
        ({"models": ["a", "b", "a"]}, "'a' is asked twice"),
        ({"join": "most"}, "Input should be 'best', 'vote', 'average' or 'first'"),
        ({"quorum": 0}, "greater than or equal to 1"),
        ({"quorum": 4}, "quorum is 4, and there are 3 models"),
        ({"quorum": 1, "join": "first"}, "one answer suffices; remove quorum"),
        ({"deadline": 500}, "500 is not a duration"),
        ({"deadline": 0}, "deadline is 0, so no answer could come in time"),
        ({"weights": {"a": 0}}, "greater than 0"),
        ({"weights": {"d": 1}}, "weights name 'd'; they may name a and b and c"),
        ({"weights": {"a": 2}, "join": "best"}, "weights say nothing of join: best"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        parallel(**options)
