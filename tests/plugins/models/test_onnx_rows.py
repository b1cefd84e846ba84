"""Rows between parts: what does not fit is refused by the record's name, never guessed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace import Batch, Position, Record
from headrace.core.registry.shard import BoundaryTensor
from headrace.plugins.models.errors import BoundaryTensorError
from headrace.plugins.models.onnx_batch import Limits
from headrace.plugins.models.onnx_rows import MARK, Boundary, Mark, rows_of, stacked

STATE = BoundaryTensor(name="state", dtype="float32", shape=("batch", "tokens", 4))
MASK = BoundaryTensor(name="mask", dtype="int64", shape=("batch", "tokens"))
POOLED = BoundaryTensor(name="pooled", dtype="float32", shape=("batch", 3))
PADDED, TRIMMED = Boundary((STATE, MASK), trims=False), Boundary((STATE, MASK), trims=True)


def row(tokens: int = 5, **changed: Any) -> dict[str, Any]:
    whole = {
        "state": np.ones((tokens, 4), np.float32),
        "mask": np.ones(tokens, np.int64),
        MARK: np.array([tokens, 0]),
    }
    return {name: value for name, value in {**whole, **changed}.items() if value is not None}


def batch(*rows: dict[str, Any]) -> Batch:
    return Batch([Record(id=f"r:0:{at}", source=Position("r", 0, at), tensors=one) for at, one in enumerate(rows)])


@given(lengths=st.lists(st.integers(1, 4), max_size=20), records=st.integers(1, 6), tokens=st.integers(1, 30))
def test_every_record_comes_once_and_only_equal_lengths_share_a_run(
    lengths: list[int], records: int, tokens: int
) -> None:
    runs = list(stacked(batch(*map(row, lengths)), PADDED, Limits(records, tokens)))
    assert sorted(place for run in runs for place in run.places) == list(range(len(lengths)))
    for run in runs:
        (length,) = {lengths[place] for place in run.places}
        assert run.tensors["state"].shape == (len(run.places), length, 4)
        assert len(run.places) == 1 or (len(run.places) <= records and len(run.places) * length <= tokens)


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=20), records=st.integers(1, 6))
def test_rows_without_padding_are_sorted_and_padded_with_zeros_to_the_longest_of_their_run(
    lengths: list[int], records: int
) -> None:
    runs = list(stacked(batch(*map(row, lengths)), TRIMMED, Limits(records, 1000)))
    assert [lengths[place] for run in runs for place in run.places] == sorted(lengths)
    for run in runs:
        longest = max(lengths[place] for place in run.places)
        assert run.tensors["state"].shape == (len(run.places), longest, 4)
        for place, mask, state in zip(run.places, run.tensors["mask"], run.tensors["state"], strict=True):
            assert mask.tolist() == [1] * lengths[place] + [0] * (longest - lengths[place])
            assert state.sum() == lengths[place] * 4


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_trimming_takes_exactly_the_padding(lengths: list[int]) -> None:
    square = BoundaryTensor(name="square", dtype="int64", shape=("batch", "tokens", "tokens"))
    squares, pooled = np.zeros((len(lengths), 9, 9), np.int64), np.ones((len(lengths), 3), np.float32)
    tensors: dict[str, np.ndarray] = {"square": squares, "pooled": pooled}
    boundary = Boundary((square, POOLED), trims=True)
    rows = list(rows_of(tensors, [Mark(length, False) for length in lengths], boundary))
    assert [one["square"].shape for one in rows] == [(length, length) for length in lengths]
    assert {one["pooled"].shape for one in rows} == {(3,)}
    (run,) = stacked(batch(*rows), boundary, Limits(8, 1000))
    assert run.tensors["square"].shape == (len(lengths), max(lengths), max(lengths))


@given(counts=st.lists(st.integers(0, 2**40), min_size=1, max_size=5))
def test_rows_stack_to_what_they_were_cut_from(counts: list[int]) -> None:
    marks = [Mark(count, bool(count % 2)) for count in counts]
    tensors = {"pooled": np.arange(len(counts) * 3, dtype=np.float32).reshape(-1, 3)}
    boundary = Boundary((POOLED,), trims=False)
    (run,) = stacked(batch(*rows_of(tensors, marks, boundary)), boundary, Limits(8, 8))
    assert run.marks == marks
    assert np.array_equal(run.tensors["pooled"], tensors["pooled"])


@pytest.mark.provokes("HR337")
@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"mask": None}, "has none of that name where this part takes a row of mask int64[batch, tokens]"),
        ({"state": np.ones((5, 3), np.float32)}, "brings float32[5, 3]"),
        ({"state": np.ones((6, 4), np.float32)}, "takes a row of mask"),
        ({"state": np.ones(5, np.float32)}, "brings float32[5]"),
        ({"state": np.ones((5, 4), np.int64)}, "brings int64[5, 4]"),
        ({"mask": np.ones(5, np.float16)}, "brings float16[5]"),
        ({MARK: None}, MARK),
        ({MARK: np.array([1])}, MARK),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_the_record(changed: dict[str, Any], fault: str) -> None:
    with pytest.raises(BoundaryTensorError) as caught:
        list(stacked(batch(row(), row(**changed)), PADDED, Limits(8, 64)))
    assert fault in caught.value.fault
    assert "r:0:1" in caught.value.fault


@pytest.mark.provokes("HR337")
def test_a_trimmed_row_has_as_many_tokens_as_its_text() -> None:
    with pytest.raises(BoundaryTensorError):
        list(stacked(batch(row(5, **{MARK: np.array([4, 0])})), TRIMMED, Limits(8, 64)))


def test_half_precision_becomes_the_type_of_the_graph() -> None:
    (run,) = stacked(batch(row(state=np.ones((5, 4), np.float16))), PADDED, Limits(8, 64))
    assert run.tensors["state"].dtype == np.float32
