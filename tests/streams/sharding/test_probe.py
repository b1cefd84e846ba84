"""Which tensors may travel a row a text: those that have one at two texts, at three, and at other lengths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headrace.streams.sharding.probe import probe, run_graph, sample
from tests.graphs import BEGIN, COLUMN, IDS, LOGITS, MASK, end, feeds, graph, node

ROW = {IDS: np.arange(1, 21)[None], MASK: np.ones((1, 20), np.int64)}


def found(tmp_path: Path, nodes: list[Any], *names: str, by_row: bool = True, max_tokens: int = 64) -> dict[str, str]:
    weights = {
        "flat": np.array([-1, 4], np.int64),
        "zero": np.array([0], np.int64),
        "first": np.array(0, np.int64),
    }
    model = graph([*COLUMN, *BEGIN, *nodes, *end("begin")], weights)
    tensors = probe(model, names, ROW, tmp_path, max_tokens=max_tokens, by_row=by_row)
    return {name: str(tensor) for name, tensor in tensors.items()}


@pytest.mark.parametrize(
    ("nodes", "name", "words"),
    [
        ([], "begin", "begin float32[batch, tokens, 4]"),
        ([], "end_sum", "end_sum float32[batch, 4]"),
        ([node("Transpose", ["begin"], "t", perm=[0, 2, 1])], "t", "t float32[batch, 4, tokens]"),
        (
            [node("Transpose", ["begin"], "t", perm=[0, 2, 1]), node("MatMul", ["begin", "t"], "square_ish")],
            "square_ish",
            "square_ish float32[batch, tokens, tokens]",
        ),
        ([node("Cast", ["begin"], "half", to=10)], "half", "half float16[batch, tokens, 4]"),
        ([node("Greater", ["begin", "column"], "flags")], "flags", "flags bool[batch, tokens, 4]"),
        ([node("ArgMax", ["begin"], "most", axis=-1, keepdims=0)], "most", "most int64[batch, tokens]"),
    ],
)
def test_a_tensor_with_a_row_a_text_is_described(tmp_path: Path, nodes: list[Any], name: str, words: str) -> None:
    assert found(tmp_path, nodes, name) == {name: words}


@pytest.mark.parametrize(
    ("nodes", "name"),
    [
        ([node("Reshape", ["begin", "flat"], "rows")], "rows"),
        ([node("Transpose", ["begin"], "turned", perm=[1, 0, 2])], "turned"),
        ([node("ReduceSum", ["begin", "zero"], "all", keepdims=1)], "all"),
        ([node("Shape", ["begin"], "shape")], "shape"),
        ([node("Concat", ["begin", "begin"], "twice", axis=1)], "twice"),
        ([node("Concat", ["begin", "begin"], "doubled", axis=0)], "doubled"),
        ([node("Gather", ["begin", "first"], "one", axis=0)], "one"),
        ([node("ReduceMax", ["begin"], "number", keepdims=0)], "number"),
        ([node("NonZero", ["begin"], "places")], "places"),
    ],
)
def test_any_other_tensor_may_not_travel(tmp_path: Path, nodes: list[Any], name: str) -> None:
    assert found(tmp_path, nodes, name) == {}


def test_a_row_that_depends_on_its_neighbours_may_not_travel(tmp_path: Path) -> None:
    mixed = [
        node("ReduceSum", ["begin", "zero"], "all", keepdims=1),
        node("Add", ["begin", "all"], "mixed"),
    ]
    assert found(tmp_path, mixed, "mixed", "begin").keys() == {"begin"}
    assert found(tmp_path, mixed, "mixed", "begin", by_row=False).keys() == {"begin", "mixed"}


def test_a_model_of_short_texts_is_probed_with_short_ones(tmp_path: Path) -> None:
    assert found(tmp_path, [], "begin", max_tokens=2) == {"begin": "begin float32[batch, tokens, 4]"}


def test_samples_have_the_size_that_was_asked_for_and_differ_from_row_to_row() -> None:
    tensors = sample(ROW, 3, 30)
    assert {values.shape for values in tensors.values()} == {(3, 30)}
    assert len({tuple(row) for row in tensors[IDS].tolist()}) == 3


def test_tensors_inside_of_a_graph_can_be_seen(tmp_path: Path) -> None:
    model = graph([*COLUMN, *BEGIN, *end("begin")])
    one, other = run_graph(model, ["begin", LOGITS], [feeds(2, 3), feeds(1, 5)], tmp_path)
    assert (one["begin"].shape, other["begin"].shape, other[LOGITS].shape) == ((2, 3, 4), (1, 5, 4), (1, 2))
    assert [given.name for given in model.graph.output] == [LOGITS], "the model itself is as it was"
