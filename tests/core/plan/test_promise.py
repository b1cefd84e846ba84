"""What a plan promises."""

from __future__ import annotations

from headrace.core.config.pipeline import Delivery, Link
from headrace.core.plan.promise import promises


def test_a_plan_says_what_holds_for_loss_order_and_failures() -> None:
    loss, order, failure = promises(Delivery(retries=3), Link(), is_linked=False)
    assert loss.startswith("at least once: no record is lost")
    assert order.startswith("order: results of one partition leave in the order")
    assert "becomes a dead letter after 3 more attempts" in failure


def test_exactly_once_is_promised_to_those_who_read_committed() -> None:
    once = promises(Delivery(guarantee="exactly_once"), Link(), is_linked=False)[0]
    assert once.startswith("exactly once: no record is lost and no result comes twice")
    assert "isolation.level=read_committed" in once


def test_without_retries_a_failing_record_ends_at_once() -> None:
    assert "becomes a dead letter at once" in promises(Delivery(retries=0), Link(), is_linked=False)[2]


def test_between_processes_only_records_of_one_path_keep_their_order() -> None:
    assert "records of one key that take the same path" in promises(Delivery(), Link(), is_linked=True)[1]
    assert "order: none between processes" in promises(Delivery(), Link(balance="least_lag"), is_linked=True)[1]


def test_with_order_key_the_records_of_a_key_keep_it_whichever_way_they_take() -> None:
    for link in Link(), Link(balance="least_lag"):
        order = promises(Delivery(order="key"), link, is_linked=True)[1]
        assert order.startswith("order: results of one key leave in the order of its records")
    assert "one partition" in promises(Delivery(order="key"), Link(), is_linked=False)[1]


def test_it_says_what_becomes_of_a_failing_record() -> None:
    fallback = Delivery(on_failure="fallback", fallback={"label": "unknown"}, retries=0)
    assert "gets the fallback as its result at once" in promises(fallback, Link(), is_linked=False)[2]
    stop = promises(Delivery(on_failure="stop", slow="pause"), Link(), is_linked=False)[2]
    assert "stops the worker after 3 more attempts; those before it are delivered" in stop
    assert stop.endswith("where its error may pass, its partition waits first, 600 s at most")
    aside = promises(Delivery(slow="retry_topic"), Link(), is_linked=False)
    assert aside[2].endswith("it waits aside first, tried again every 10 s, 600 s at most, and others overtake it")
    assert "but those that wait aside" in aside[1]
    assert "but those that wait aside" in promises(Delivery(slow="retry_topic"), Link(), is_linked=True)[1]
