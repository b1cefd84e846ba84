"""Units hashed together: what numpy says of a batch is what the plain loop says of each."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headrace.core.experiments import units as module
from headrace.core.experiments.hash import fnv1a, slot
from headrace.core.experiments.units import Units
from tests.support.made import texts

mixed = st.lists(texts | st.sampled_from(["", "a\0", "\0", "😀", "x" * 200, "\ud800"]), max_size=40)


@given(units=mixed, seed=texts, version=st.sampled_from([1, 2]))
@example(units=[""] * 30, seed="exp", version=2)
@example(units=["ann", "bob"] * 20, seed="", version=1)
@example(units=["ann", "bob"] * 20, seed="é😀", version=1)
@example(units=["x" * 65, "ann"] * 20, seed="exp", version=2)
def test_a_unit_s_bucket_never_depends_on_those_beside_it(units: list[str], seed: str, version: int) -> None:
    alone = [slot(seed, unit, version) for unit in units]
    assert Units(units).slots(seed, version) == alone
    assert Units([*units, *["filler"] * 30]).slots(seed, version)[: len(units)] == alone


def test_the_same_units_are_asked_for_several_seeds() -> None:
    units = Units([f"user-{at}" for at in range(64)])
    first = units.slots("one")
    assert units.slots("two") != first
    assert units.slots("one") == first


def test_a_number_with_few_digits_is_hashed_without_zeros_before_it() -> None:
    import numpy as np

    numbers = [0, 7, 9_999, 10_000, 10_001, 100_000, 99_999_999, 2**32 - 1]
    found = module._hash_of_decimal(np.array(numbers, np.uint32)).tolist()
    assert found == [fnv1a(str(number)) for number in numbers]


@pytest.mark.parametrize("count", [0, 1, 23, 24, 64, 500])
def test_there_is_a_bucket_for_each_unit(count: int) -> None:
    units = Units([f"user-{at}" for at in range(count)])
    assert len(units) == len(units.slots("exp")) == count
