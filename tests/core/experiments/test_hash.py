"""The hash of a unit: that of GrowthBook, for any text."""

from __future__ import annotations

import pytest
from growthbook.core import gbhash
from hypothesis import example, given
from hypothesis import strategies as st

from headrace.core.experiments.hash import BUCKETS, code_units, fnv1a, point, slot
from tests.support.made import texts

versions = st.sampled_from([1, 2])


def as_javascript_has_it(text: str) -> int:
    """Return FNV-1a as a JavaScript SDK must come to it: `charCodeAt`, shifts, doubles, and `>>> 0` at the end.

    An oracle beside the Python SDK, which took code points before it took UTF-16 and might change its mind again.
    """
    units: list[int] = []
    for char in text:
        code = ord(char)
        if code > 0xFFFF:
            units += [0xD800 + ((code - 0x10000) >> 10), 0xDC00 + ((code - 0x10000) & 0x3FF)]
        else:
            units.append(code)
    value = 0x811C9DC5
    for unit in units:
        value = _int32(_int32(value) ^ unit)
        value += sum(_int32(value << shift) for shift in (1, 4, 7, 8, 24))
        assert abs(value) < 2**53, "a double would round here"
    return value % 2**32


def _int32(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


@given(seed=texts, unit=texts, version=versions)
@example(seed="exp", unit="😀", version=2)
@example(seed="exp", unit="\ud83d", version=2)
@example(seed="exp\ud83d", unit="\ude00", version=2)
@example(seed="café", unit="漢字", version=1)
@example(seed="", unit="", version=2)
def test_a_unit_falls_where_the_sdk_of_growthbook_says(seed: str, unit: str, version: int) -> None:
    assert point(seed, unit, version) == gbhash(seed, unit, version)


@given(texts)
@example("😀 a\ud83d b\ude00 ñ")
def test_the_hash_is_that_of_javascript(text: str) -> None:
    assert fnv1a(text) == as_javascript_has_it(text)


@given(texts, texts)
def test_the_state_after_a_text_goes_on_with_the_next(first: str, second: str) -> None:
    assert fnv1a(second, fnv1a(first)) == fnv1a(first + second)


def test_an_emoji_is_two_code_units_and_half_of_one_is_one() -> None:
    assert list(code_units("a😀")) == [0x61, 0xD83D, 0xDE00]
    assert list(code_units("é\ud83d")) == [0xE9, 0xD83D]
    assert fnv1a("\ud83d\ude00") == fnv1a("😀")


@given(texts, texts, versions)
def test_a_slot_is_one_of_the_buckets(seed: str, unit: str, version: int) -> None:
    found = slot(seed, unit, version)
    assert found is not None
    assert found in range(BUCKETS[version])


@pytest.mark.parametrize("version", [0, 3, 99])
def test_a_version_that_there_is_not_puts_a_unit_nowhere(version: int) -> None:
    assert slot("exp", "ann", version) is None
    assert point("exp", "ann", version) is None
