"""Where a row of costs is cut: as evenly as can be, at places as narrow as that allows."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.streams.sharding.balance import balanced, choose, pieces

COSTS = st.lists(st.integers(0, 20).map(float), min_size=2, max_size=9)


@given(costs=COSTS, parts=st.integers(2, 4), data=st.data())
def test_no_other_cut_has_a_smaller_largest_part_or_is_more_even(
    costs: list[float], parts: int, data: st.DataObject
) -> None:
    places = sorted(data.draw(st.sets(st.integers(0, len(costs) - 2))))
    cuts = balanced(costs, places, parts)
    every = [pieces(costs, tried) for tried in combinations(places, parts - 1)]
    if not every:
        assert cuts is None
        return
    assert cuts is not None
    assert set(cuts) <= set(places)
    least = min(max(one) for one in every)
    assert max(pieces(costs, cuts)) == least
    squares = min(sum(cost**2 for cost in one) for one in every if max(one) == least)
    assert sum(cost**2 for cost in pieces(costs, cuts)) == pytest.approx(squares)


@given(costs=COSTS, parts=st.integers(2, 4))
def test_pieces_add_up_to_the_whole(costs: list[float], parts: int) -> None:
    cuts = balanced(costs, range(len(costs) - 1), parts)
    if cuts is not None:
        assert sum(pieces(costs, cuts)) == sum(costs)
        assert len(pieces(costs, cuts)) == parts


def test_a_narrow_place_is_preferred_to_a_slightly_better_balance() -> None:
    costs = [10.0, 1.0, 1.0, 10.0]
    assert choose(costs, [400, 4000, 400], 2) == (0,)


def test_a_wide_place_is_taken_when_narrow_ones_do_not_balance() -> None:
    assert choose([1.0] * 10, [4, 9, 400, 400, 400, 400, 400, 9, 4], 2) == (4,)


def test_one_heavy_piece_does_not_excuse_the_others_from_being_even() -> None:
    assert choose([60.0, *[4.0] * 10], [100.0] * 10, 3) == (0, 5)


def test_places_that_cannot_be_are_not_taken() -> None:
    assert choose([1.0] * 4, [9, None, 9], 2) in ((0,), (2,))
    assert choose([1.0] * 4, [None, None, 9], 3) is None
    assert choose([1.0], [], 2) is None
