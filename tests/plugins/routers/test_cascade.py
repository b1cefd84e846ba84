"""The router `cascade`: one decision for all records, and rules that are checked when the file is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from headrace import Batch, Decision, Record, StepContext
from headrace.core.config.errors import ExpressionError
from headrace.core.routing.slip import Slip, advance
from headrace.plugins.routers.cascade import Cascade, CascadeOptions

MakeRecord = Callable[..., Record]
ORDER = ["quick", "middle", "expert"]


def cascade(accept: Any, order: list[str] = ORDER) -> Cascade:
    return Cascade(CascadeOptions.model_validate({"order": order, "accept": accept}))


def decision(router: Cascade, record: Record) -> Decision:
    return router.route(Batch([record]))[0]


def test_every_record_gets_the_same_decision(record: MakeRecord) -> None:
    first, second = cascade(0.9).route(Batch([record("a"), record("b")]))
    assert first is second
    assert (first.combine, first.propensity) == ("cascade", 1.0)


@pytest.mark.parametrize(
    ("accept", "rules"),
    [
        (0.9, [0.9, 0.9, None]),
        (1, [1.0, 1.0, None]),
        ("output.score > 0.8", ["output.score > 0.8", "output.score > 0.8", None]),
        ({"quick": 0.9, "middle": "output.label == 'negative'"}, [0.9, "output.label == 'negative'", None]),
    ],
)
def test_each_model_but_the_last_has_a_rule(record: MakeRecord, accept: Any, rules: list[Any]) -> None:
    steps = decision(cascade(accept), record()).steps
    assert [candidate.model for candidate in steps] == ORDER
    assert [candidate.accept_if for candidate in steps] == rules


@pytest.mark.parametrize(
    ("scores", "path"),
    [([0.9], ("quick",)), ([0.89, 0.95], ("quick", "middle")), ([0.1, 0.2, 0.3], ("quick", "middle", "expert"))],
)
def test_models_are_asked_until_one_is_sure(record: MakeRecord, scores: list[float], path: tuple[str, ...]) -> None:
    slip = Slip(policy="cascade", decision=decision(cascade(0.9), record()))
    for score in scores:
        slip = advance(slip, {"score": score}, lambda rule, output: False)
    assert slip.next is None
    assert slip.path == path


def test_it_names_its_models_for_check() -> None:
    assert cascade(0.9).models(StepContext("reviews", "cascade", "")) == tuple(ORDER)


@pytest.mark.parametrize(
    ("order", "accept", "fault"),
    [
        (["quick"], 0.9, "at least 2 items"),
        (["quick", "expert", "quick"], 0.9, "'quick' is there twice"),
        (ORDER, 0, "accept is 0; write a score above 0 and at most 1"),
        (ORDER, 1.5, r"accept is 1\.5"),
        (ORDER, float("nan"), "accept is nan"),
        (ORDER, True, "accept is neither a score nor an expression"),
        (ORDER, None, "accept is neither a score nor an expression"),
        (ORDER, [0.9], "accept is neither a score nor an expression"),
        (ORDER, "0.9", "says nothing of output"),
        (ORDER, {"quick": 0.9}, "accept says nothing of 'middle'; add middle"),
        (ORDER, {"quick": 0.9, "middle": 0.9, "expert": 0.9}, "accept names 'expert'; it may name quick and middle"),
        (ORDER, {"quick": 0.9, "middle": 2}, "accept for middle is 2"),
    ],
)
def test_what_makes_no_sense_is_refused_once(order: list[str], accept: Any, fault: str) -> None:
    with pytest.raises(ValidationError, match=fault) as caught:
        cascade(accept, order)
    assert caught.value.error_count() == 1


@pytest.mark.parametrize("accept", ["output.score >", "outpt.score > 0.9", {"quick": "x", "middle": 0.9}])
def test_an_expression_that_cannot_work_is_refused_when_the_file_is_read(accept: Any) -> None:
    with pytest.raises(ExpressionError):
        cascade(accept)
