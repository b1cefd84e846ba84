"""How texts share runs: each comes once, none too many together, and padding is never a token."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headrace.plugins.models.onnx_batch import cut, pad
from headrace.plugins.models.tokenizer import Encoded

LENGTHS = st.lists(st.integers(1, 600), max_size=80)


@given(lengths=LENGTHS, records=st.integers(1, 70), tokens=st.integers(1, 5000))
def test_every_text_runs_once_and_no_run_is_too_large(lengths: list[int], records: int, tokens: int) -> None:
    runs = list(cut(lengths, records, tokens))
    assert sorted(at for run in runs for at in run) == list(range(len(lengths)))
    for run in runs:
        assert 1 <= len(run) <= records
        assert len(run) == 1 or len(run) * max(lengths[at] for at in run) <= tokens


@given(lengths=LENGTHS)
def test_runs_go_from_short_to_long_so_that_little_is_padded(lengths: list[int]) -> None:
    in_order = [lengths[at] for run in cut(lengths, 8, 4096) for at in run]
    assert in_order == sorted(lengths)


def test_a_run_is_as_full_as_it_may_be() -> None:
    assert list(cut([3] * 5, 2, 1000)) == [[0, 1], [2, 3], [4]]
    assert list(cut([1, 9, 2, 2], 8, 6)) == [[0, 2, 3], [1]]


@given(texts=st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=30), min_size=1, max_size=20))
def test_padding_is_masked_and_ids_keep_their_places(texts: list[list[int]]) -> None:
    padded = pad([Encoded(ids, None, False) for ids in texts], 0, "int64")
    assert padded.ids.shape == padded.mask.shape == (len(texts), max(map(len, texts)))
    for row, mask, ids in zip(padded.ids, padded.mask, texts, strict=True):
        assert row[mask == 1].tolist() == ids
        assert row.tolist() == ids + [0] * (len(row) - len(ids))
    assert not padded.type_ids.any()


def test_token_types_and_the_integer_type_are_kept() -> None:
    padded = pad([Encoded([5, 6], [0, 2], False), Encoded([7], None, False)], 9, "int32")
    assert padded.type_ids.tolist() == [[0, 2], [0, 0]]
    assert padded.ids.tolist() == [[5, 6], [7, 9]]
    assert {padded.ids.dtype, padded.mask.dtype, padded.type_ids.dtype} == {np.dtype("int32")}
