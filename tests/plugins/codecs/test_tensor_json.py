"""Lists of numbers: the fast way to an array gives what the long one gives, in what it takes and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace import RecordError, TensorSpec
from headrace.plugins.codecs.errors import TensorNotFiniteError
from headrace.plugins.codecs.tensor_finite import refuse_infinite
from headrace.plugins.codecs.tensor_json import Lists

DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
NUMBERS = st.one_of(
    st.integers(-300, 300),
    st.sampled_from((2**31, 2**32, 2**63, 2**64, -(2**63) - 1, 10**400, 65_504, 65_520, 1e39, 1e308, -1e308, 0.5)),
    st.floats(),
)
OTHERS: st.SearchStrategy[Any] = st.sampled_from((None, "1", [1], {}))


def read(values: list[Any], dtype: str, **more: bool) -> tuple[str, Any]:
    try:
        spec = TensorSpec.model_validate({"name": "x", "dtype": dtype, "shape": [-1]})
        array = Lists(values, **more).read((), spec)
    except RecordError as error:
        return error.code, str(error)
    return array.dtype.name, array.tobytes()


@given(st.lists(NUMBERS, max_size=6), st.sampled_from(DTYPES), st.booleans())
def test_both_ways_agree_on_numbers(values: list[Any], dtype: str, allows_nan: bool) -> None:
    assert read(values, dtype, has_booleans=False, allows_nan=allows_nan) == read(values, dtype, allows_nan=allows_nan)


@given(st.lists(NUMBERS | OTHERS, max_size=4), st.sampled_from(DTYPES))
def test_both_ways_agree_on_what_is_no_number(values: list[Any], dtype: str) -> None:
    assert read(values, dtype, has_booleans=False) == read(values, dtype)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("size", [1, 500, 501, 3_999, 4_001])
def test_a_number_that_is_not_finite_is_found_wherever_it_is(wrong: float, size: int) -> None:
    tensor = np.full((1, size), 3e38, "float32")
    refuse_infinite("x", tensor)
    tensor[0, size - 1] = wrong
    with pytest.raises(TensorNotFiniteError, match=f"no finite float32 at {size - 1};"):
        refuse_infinite("x", tensor)
