"""A schedule is drawn from its seed alone, has some of every kind, and hits every group."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.schedule import EVERYWHERE, PLANTED, Kind, draw

KINDS = tuple(Kind)
GROUPS = ("front", "expert", "main")


def test_a_seed_gives_the_same_schedule_again_and_another_seed_another_one() -> None:
    assert draw(7, 25, 5_000, GROUPS, KINDS) == draw(7, 25, 5_000, GROUPS, KINDS)
    assert draw(7, 25, 5_000, GROUPS, KINDS) != draw(8, 25, 5_000, GROUPS, KINDS)


@given(seed=st.integers(0, 2**32), count=st.integers(len(KINDS), 120))
def test_moments_rise_and_lie_within_the_load_which_goes_on_after_the_last(seed: int, count: int) -> None:
    moments = [fault.at for fault in draw(seed, count, 100 * count, GROUPS, KINDS)]
    assert moments == sorted(set(moments))
    assert moments[0] > 0
    assert moments[-1] < 96 * count


@pytest.mark.parametrize("least", [1, 5])
def test_there_are_as_many_of_each_kind_as_asked_for(least: int) -> None:
    counts = Counter(fault.kind for fault in draw(7, 60, 5_000, GROUPS, KINDS, least=least))
    assert set(counts) == set(KINDS)
    assert min(counts.values()) >= least


def test_processes_of_every_group_are_hit_as_often_and_broker_and_records_concern_all() -> None:
    drawn = draw(7, 100, 100_000, GROUPS, KINDS, least=5)
    hits = Counter(fault.group for fault in drawn if fault.group != EVERYWHERE)
    assert max(hits.values()) - min(hits.values()) <= 1
    assert {fault.kind for fault in drawn if fault.group == EVERYWHERE} == {*PLANTED, *_OF_THE_BROKER}


_OF_THE_BROKER = (Kind.BROKER, Kind.CUT, Kind.DISK)
