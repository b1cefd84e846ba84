"""The router `single`."""

from __future__ import annotations

from collections.abc import Callable

from headrace import Batch, Record, StepContext
from headrace.core.routing.slip import Slip, advance
from headrace.plugins.routers.single import Single, SingleOptions

MakeRecord = Callable[..., Record]


def test_every_record_gets_the_same_decision_for_the_one_model(record: MakeRecord) -> None:
    router = Single(SingleOptions(model="expert"))
    first, second = router.route(Batch([record("a"), record("b")]))
    assert first is second
    assert [candidate.model for candidate in first.steps] == ["expert"]
    assert first.propensity == 1.0
    assert router.models(StepContext("reviews", "single", "")) == ("expert",)


def test_a_result_says_why_the_model_served(record: MakeRecord) -> None:
    decision = Single(SingleOptions(model="expert")).route(Batch([record()]))[0]
    slip = advance(Slip(policy="single", decision=decision), {"label": "x"}, lambda rule, output: False)
    assert slip.next is None
    assert slip.reason == "every record goes to expert"
