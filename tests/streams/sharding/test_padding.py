"""Padding is left away between parts only where that was seen to change nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from headrace.core.registry.shard import BoundaryTensor
from headrace.streams.sharding.anatomy import dissect
from headrace.streams.sharding.chain import PartChain
from headrace.streams.sharding.cut import cut_graph
from headrace.streams.sharding.padding import may_trim
from headrace.streams.sharding.workbench import input_tensors
from tests.graphs import BEGIN, COLUMN, LOGITS, end, feeds, graph, node, open_bytes

STATE = ("batch", "tokens", 4)


def trims(nodes: list[Any], at: int, **shapes: tuple[Any, ...]) -> bool:
    inputs = feeds(3, 6, ragged=True)
    anatomy = dissect(graph(nodes, {"one": np.float32(1)}), LOGITS)
    tensors = {name: BoundaryTensor(name=name, dtype="float32", shape=shape) for name, shape in shapes.items()}
    pieces = cut_graph(anatomy, [at], input_tensors(tensors, inputs))
    makes = [[one.name for one in piece.outputs if one.name not in piece.passes] for piece in pieces]
    chain = PartChain([open_bytes(piece.model) for piece in pieces], makes)
    return may_trim(chain, inputs, 0, pieces[0].outputs)


def test_what_the_mask_hides_may_be_left_away() -> None:
    assert trims([*COLUMN, *BEGIN, node("Tanh", ["begin"], "one_more"), *end("one_more")], 0, begin=STATE)


def test_what_has_no_tokens_has_no_padding() -> None:
    nodes = [*COLUMN, *BEGIN, *end("begin")]
    assert trims(nodes, 2, end_sum=("batch", 4))


@pytest.mark.parametrize(
    "nodes",
    [
        [node("ReduceMean", ["begin"], "end_sum", axes=[1], keepdims=0), node("MatMul", ["end_sum", "head"], LOGITS)],
        [
            node("Sub", ["one", "begin"], "other"),
            node("ReduceSum", ["other", "axis"], "end_sum", keepdims=0),
            node("MatMul", ["end_sum", "head"], LOGITS),
        ],
        [
            node("Div", ["begin", "begin"], "ratio"),
            node("Mul", ["ratio", "column"], "end_seen"),
            node("ReduceSum", ["end_seen", "axis"], "end_sum", keepdims=0),
            node("MatMul", ["end_sum", "head"], LOGITS),
        ],
    ],
    ids=["a mean over all tokens", "zero is not nothing", "0/0 spoils the rest"],
)
def test_what_counts_the_padding_keeps_it(nodes: list[Any]) -> None:
    assert not trims([*COLUMN, *BEGIN, *nodes], 0, begin=STATE)
