"""Ranges of variants: coverage never moves a unit, and weights are what comes out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.experiments.bucket import (
    bucket_ranges,
    choose,
    equal_weights,
    in_slice,
    layer_slots,
    variant_slots,
)
from headrace.core.experiments.hash import BUCKETS, slot

shares = st.floats(0, 1)


@st.composite
def weights(draw: st.DrawFn) -> list[float]:
    raw = draw(st.lists(st.floats(0, 100), min_size=2, max_size=6).filter(lambda given: sum(given) > 1e-3))
    return [weight / sum(raw) for weight in raw]


@given(weights=weights(), before=shares, after=shares, at=st.integers(0, 9_999))
def test_a_change_of_coverage_moves_no_unit_to_another_variant(
    weights: list[float], before: float, after: float, at: int
) -> None:
    less, more = sorted((before, after))
    few = choose(at / 10_000, bucket_ranges(len(weights), less, weights))
    many = choose(at / 10_000, bucket_ranges(len(weights), more, weights))
    assert few in (-1, many)


@given(weights=weights(), at=st.integers(0, 9_999))
def test_full_coverage_leaves_nobody_out(weights: list[float], at: int) -> None:
    ranges = bucket_ranges(len(weights), 1.0, weights)
    assert all(before[1] == after[0] for before, after in pairwise(ranges))
    assert choose(at / 10_000, ranges) >= 0 or at / 10_000 >= ranges[-1][1]
    assert ranges[-1][1] == pytest.approx(1)


@given(weights=weights(), coverage=shares)
def test_each_variant_gets_its_share_of_the_buckets(weights: list[float], coverage: float) -> None:
    chosen = variant_slots(bucket_ranges(len(weights), coverage, weights), 2)
    for index, weight in enumerate(weights):
        assert chosen.count(index) / 10_000 == pytest.approx(weight * coverage, abs=2e-4)


@given(weights=weights(), coverage=shares, version=st.sampled_from([1, 2]), at=st.integers(0, 999))
def test_what_is_asked_once_for_all_buckets_is_what_each_is_told(
    weights: list[float], coverage: float, version: int, at: int
) -> None:
    ranges = bucket_ranges(len(weights), coverage, weights)
    buckets = BUCKETS[version]
    chosen = variant_slots(ranges, version)
    assert len(chosen) == buckets
    for slot_ in (at, buckets - 1 - at, *(round(end * buckets) % buckets for part in ranges for end in part)):
        assert chosen[slot_] == choose(slot_ / buckets, ranges)


def test_a_variant_without_weight_meets_nobody() -> None:
    assert set(variant_slots(bucket_ranges(3, 1.0, [0.5, 0.0, 0.5]), 2)) == {0, 2}


def test_weights_that_are_none_make_all_variants_equal() -> None:
    assert bucket_ranges(2, 1.0, [0.9, 0.9]) == bucket_ranges(2) == [(0.0, 0.5), (0.5, 1.0)]
    assert equal_weights(0) == []


@given(unit=st.text(max_size=12), cut=shares)
def test_slices_that_touch_share_no_unit(unit: str, cut: float) -> None:
    assert in_slice(unit, "routing", (0.0, cut)) != in_slice(unit, "routing", (cut, 1.0))


@given(unit=st.text(max_size=12), ends=st.tuples(shares, shares).map(sorted))
def test_the_buckets_of_a_slice_say_what_a_unit_is_told(unit: str, ends: list[float]) -> None:
    part = (ends[0], ends[1])
    asked = slot("__routing", unit, 1)
    assert asked is not None
    assert (asked in layer_slots(part)) is in_slice(unit, "routing", part)
