"""How texts share runs: each comes once, none too many together, and padding is never a token."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headrace.plugins.models.onnx_batch import Limits, cheapest, cut, pad
from headrace.plugins.models.onnx_cost import CostTable
from headrace.plugins.models.tokenizer import Encoded

LENGTHS = st.lists(st.integers(1, 600), max_size=80)
TABLES = st.dictionaries(
    st.tuples(st.sampled_from((1, 2, 4, 8, 16)), st.sampled_from((8, 32, 128))), st.floats(0.1, 100), max_size=15
).map(lambda cells: CostTable({(1, tokens): 10.0 for _, tokens in [*cells, (1, 8)]} | cells))
"""What runs cost, at its wildest: together may be quicker or slower, whatever the lengths."""


def spent(runs: list[list[int]], lengths: list[int], table: CostTable) -> float:
    return sum(table.ms(len(run), max(lengths[at] for at in run)) for run in runs)


def every_cut(order: list[int]) -> Iterator[list[list[int]]]:
    """Yield each way to cut an order into runs."""
    if not order:
        yield []
    for end in range(1, len(order) + 1):
        yield from ([order[:end], *rest] for rest in every_cut(order[end:]))


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


@given(LENGTHS, TABLES, st.integers(1, 20), st.integers(1, 5000), st.none() | st.floats(0.01, 200))
def test_the_cheapest_cut_has_every_text_once_within_the_limits_and_never_costs_more_than_one_by_one(
    lengths: list[int], table: CostTable, records: int, tokens: int, latency_ms: float | None
) -> None:
    runs = cheapest(lengths, table.ms, Limits(records, tokens), latency_ms)
    assert sorted(at for run in runs for at in run) == list(range(len(lengths)))
    for run in runs:
        longest = max(lengths[at] for at in run)
        assert 1 <= len(run) <= records
        assert len(run) == 1 or len(run) * longest <= tokens
        assert len(run) == 1 or latency_ms is None or table.ms(len(run), longest) <= latency_ms
    alone = sum(table.ms(1, length) for length in lengths)
    assert spent(runs, lengths, table) <= alone * (1 + 1e-9)


@given(st.lists(st.integers(1, 140), max_size=8), TABLES, st.integers(1, 8), st.integers(1, 600))
def test_no_other_cut_of_the_sorted_texts_costs_less(
    lengths: list[int], table: CostTable, records: int, tokens: int
) -> None:
    found = spent(cheapest(lengths, table.ms, Limits(records, tokens), None), lengths, table)
    for runs in every_cut(sorted(range(len(lengths)), key=lengths.__getitem__)):
        if all(len(run) == 1 or (len(run) <= records and len(run) * lengths[run[-1]] <= tokens) for run in runs):
            assert found <= spent(runs, lengths, table) * (1 + 1e-9)


def test_short_texts_share_runs_and_long_ones_run_alone_where_that_is_quickest() -> None:
    table = CostTable({(1, 8): 3.0, (4, 8): 8.0, (1, 128): 50.0, (4, 128): 220.0})
    assert cheapest([128, 8, 8, 128, 8, 8], table.ms, Limits(4, 4096), None) == [[1, 2, 4, 5], [0], [3]]
    assert cheapest([8] * 4, table.ms, Limits(4, 4096), 6.0) == [[0, 1], [2, 3]]
    assert cheapest([8] * 4, table.ms, Limits(4, 4096), 1.0) == [[0], [1], [2], [3]]
