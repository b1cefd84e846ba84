"""Tensors of records that were read together: each a row, all of them an array again without a copy."""

from __future__ import annotations

import numpy as np
import pytest

from headrace.core.tensor_row import TensorRow, together

COLUMNS = {"x": np.arange(12.0).reshape(4, 3), "y": np.arange(4)}
ROWS = [TensorRow(COLUMNS, at) for at in range(4)]


def test_a_row_is_a_mapping_of_the_record_s_own_tensors() -> None:
    row = ROWS[2]
    assert [*row] == ["x", "y"]
    assert len(row) == 2
    assert row["x"].tolist() == [6.0, 7.0, 8.0]
    assert row.get("z") is None
    assert "array([6., 7., 8.])" in repr(row)


def test_rows_in_order_are_a_view() -> None:
    found = together(ROWS[1:3], "x")
    assert found is not None
    assert found.tolist() == COLUMNS["x"][1:3].tolist()
    assert np.shares_memory(found, COLUMNS["x"])


@pytest.mark.parametrize("places", [(2, 0), (0, 2), (1, 1), (3,)])
def test_rows_in_any_order_are_those_rows(places: tuple[int, ...]) -> None:
    found = together([ROWS[at] for at in places], "x")
    assert found is not None
    assert found.tolist() == [COLUMNS["x"][at].tolist() for at in places]


def test_rows_of_several_arrays_are_not_together() -> None:
    others = {name: column.copy() for name, column in COLUMNS.items()}
    assert together([ROWS[0], TensorRow(others, 1)], "x") is None
    assert together([ROWS[0], {"x": COLUMNS["x"][1]}], "x") is None
    assert together([{"x": COLUMNS["x"][1]}], "x") is None
    assert together(ROWS, "z") is None
    assert together([], "x") is None
