"""What skipping means in offsets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis.strategies import integers

from headrace.core.wire.control import Skip
from headrace.streams.control.errors import NothingToSkipError
from headrace.streams.control.skip import Skipping, plan_skip, refuse_no_record
from headrace.streams.control.target import Reading
from headrace.streams.offsets import Span

STAGE = Reading("ingress", "reviews", "reviews.ingress")


def skip(span: Span, count: int = 1, before: Skip | None = None) -> Skipping:
    return plan_skip(STAGE, 0, count, {0: span}, before)


def test_the_next_records_are_skipped_and_no_more_than_there_are() -> None:
    assert skip(Span(0, 5, 20, 5)) == Skipping(5, 6, 14)
    assert skip(Span(0, 5, 20, 5), 3) == Skipping(5, 8, 12)
    assert skip(Span(0, 5, 20, 5), 99) == Skipping(5, 20, 0)


def test_what_expired_is_not_counted() -> None:
    assert skip(Span(10, 5, 20, 10), 2) == Skipping(10, 12, 8)


def test_a_skip_that_is_still_to_come_is_not_shortened() -> None:
    assert skip(Span(0, 5, 20, 5), 1, Skip(first=3, until=9)) == Skipping(5, 9, 11)
    assert skip(Span(0, 5, 20, 5), 1, Skip(first=0, until=4)) == Skipping(5, 6, 14)


@given(integers(0, 50), integers(0, 50), integers(1, 100))
def test_what_is_skipped_and_what_waits_behind_is_all_that_waits(done: int, waiting: int, count: int) -> None:
    span = Span(0, done, done + waiting + 1, done)
    made = skip(span, count)
    assert made.first == done
    assert 1 <= made.until - made.first <= count
    assert made.until - made.first + made.behind == waiting + 1


@pytest.mark.provokes("HR226")
@pytest.mark.parametrize(
    ("partition", "span", "told"),
    [
        (3, Span(0, 5, 20, 5), r"topic 'reviews' has no partition 3; it has 0 to 0"),
        (0, Span(0, 20, 20, 20), r"stage 'ingress' has read partition 0 of 'reviews' to its end, offset 20"),
        (0, Span(0, None, 20, None), r"to its end"),
    ],
)
def test_where_nothing_waits_there_is_nothing_to_skip(partition: int, span: Span, told: str) -> None:
    with pytest.raises(NothingToSkipError, match=told):
        plan_skip(STAGE, partition, 1, {0: span}, None)


def test_a_topic_that_is_not_there_has_no_partition() -> None:
    with pytest.raises(NothingToSkipError, match="it is not there"):
        plan_skip(STAGE, 0, 1, {}, None)


def test_only_what_may_be_a_record_of_the_pipeline_is_passed_over() -> None:
    refuse_no_record("reviews:0:17", ("reviews", "p.link.egress"))
    refuse_no_record("p.link.egress:3:0", ("reviews", "p.link.egress"))
    for wrong in ("reviews:0", "other:0:17", "reviews:0:-1", "reviews:0:x", "source|event"):
        with pytest.raises(NothingToSkipError, match="is no record of this pipeline"):
            refuse_no_record(wrong, ("reviews", "p.link.egress"))
