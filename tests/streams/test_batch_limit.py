"""How many records a batch may have."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.streams.batch_limit import BatchLimit


def test_it_begins_at_what_the_file_says() -> None:
    assert BatchLimit(64, 4.0).records == 64


def test_a_batch_that_took_too_long_makes_the_next_one_short_enough() -> None:
    limit = BatchLimit(64, 4.0)
    limit.learn(64, 32.0)
    assert limit.records * 0.5 <= 4.0, "half a second a record was measured"


def test_it_grows_back_while_batches_are_quick_and_stays_while_they_are_not() -> None:
    limit = BatchLimit(64, 4.0)
    limit.learn(64, 32.0)
    shrunk = limit.records
    limit.learn(shrunk, 2.0)
    assert limit.records == shrunk
    for _ in range(10):
        limit.learn(limit.records, 0.1)
    assert limit.records == 64


@given(st.lists(st.tuples(st.integers(0, 10_000), st.floats(0, 1e6)), max_size=30))
def test_it_is_never_less_than_one_nor_more_than_the_file_says(batches: list[tuple[int, float]]) -> None:
    limit = BatchLimit(64, 4.0)
    for records, seconds in batches:
        limit.learn(records, seconds)
        assert 1 <= limit.records <= 64
