"""What a plan promises."""

from __future__ import annotations

from headrace.core.config.pipeline import Delivery
from headrace.core.plan.promise import promises


def test_a_plan_says_what_holds_for_loss_order_and_failures() -> None:
    loss, order, failure = promises(Delivery(retries=3))
    assert loss.startswith("at least once: no record is lost")
    assert order.startswith("order: results of one partition leave in the order")
    assert "becomes a dead letter after 3 more attempts" in failure


def test_without_retries_a_failing_record_ends_at_once() -> None:
    assert "becomes a dead letter at once" in promises(Delivery(retries=0))[2]
