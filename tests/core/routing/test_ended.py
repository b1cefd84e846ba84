"""Which offsets have ended: as a set would have it, in as few runs as can be."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from headrace.core.routing.ended import Ended

spans = st.tuples(st.integers(0, 30), st.integers(1, 6), st.integers(1, 3))


@given(st.lists(spans))
def test_it_knows_what_a_table_of_offsets_would_know(added: list[tuple[int, int, int]]) -> None:
    ended, table = Ended(), dict[int, int]()
    for start, count, era in added:
        ended.add(start, start + count, era)
        table.update({at: max(era, table.get(at, 0)) for at in range(start, start + count)})
    for offset in range(-1, 40):
        for era in range(1, 5):
            assert ended.has(offset, era) == (era <= table.get(offset, 0))
    for (_, end, era), (start, _, other) in pairwise(ended.runs):
        assert end < start or (end == start and era != other)
    assert Ended(ended.runs).runs == ended.runs


def test_a_million_ends_in_any_order_of_neighbours_are_one_run() -> None:
    ended = Ended()
    for at in range(0, 1_000_000, 2):
        ended.add(at + 1, at + 2, 1)
        ended.add(at, at + 1, 1)
    assert ended.runs == [(0, 1_000_000, 1)]


def test_a_later_era_reads_again_what_an_earlier_one_ended() -> None:
    ended = Ended([(0, 100, 1)])
    ended.add(50, 51, 2)
    assert (ended.has(50, 1), ended.has(50, 2), ended.has(51, 2)) == (True, True, False)
    assert ended.runs == [(0, 50, 1), (50, 51, 2), (51, 100, 1)]
