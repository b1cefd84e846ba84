"""What nodes and parts cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from headrace.streams.sharding.anatomy import dissect, name_of
from headrace.streams.sharding.chain import PartChain
from headrace.streams.sharding.cost import cost_by_size, cost_by_time, shares_by_size, shares_by_time
from tests.graphs import BEGIN, COLUMN, LOGITS, end, feeds, graph, node, open_bytes


def test_the_size_of_a_node_is_that_of_the_weights_it_needs_first() -> None:
    weights = {"small": np.ones((4, 4), np.int8), "scale": np.ones(4, np.float32)}
    nodes = [
        *COLUMN,
        *BEGIN,
        node("Cast", ["small"], "wide", to=1),
        node("Mul", ["wide", "scale"], "weight"),
        node("MatMul", ["begin", "weight"], "one"),
        node("MatMul", ["one", "weight"], "two"),
        *end("two"),
    ]
    anatomy = dissect(graph(nodes, weights), LOGITS)
    sizes = dict(zip(map(name_of, anatomy.work), cost_by_size(anatomy), strict=True))
    assert (sizes["begin"], sizes["one"], sizes["two"], sizes[LOGITS]) == (1600, 32, 0, 32)
    assert len(sizes) == len(anatomy.work)


def test_the_time_of_a_node_is_measured_and_a_big_product_takes_longest(tmp_path: Path) -> None:
    wide = {
        "widen": np.ones((4, 600), np.float32),
        "mix": np.ones((600, 600), np.float32),
        "thin": np.ones((600, 4), np.float32),
    }
    nodes = [
        *COLUMN,
        *BEGIN,
        node("MatMul", ["begin", "widen"], "one"),
        node("MatMul", ["one", "mix"], "two"),
        node("MatMul", ["two", "thin"], "three"),
        *end("three"),
    ]
    anatomy = dissect(graph(nodes, wide), LOGITS)
    times = dict(zip(map(name_of, anatomy.work), cost_by_time(anatomy, feeds(8, 32), tmp_path), strict=True))
    assert max(times, key=times.__getitem__) == "two"
    assert times["two"] > 0
    assert {given.name for given in anatomy.model.graph.node} == {""}, "the model itself is as it was"


def test_shares_add_up_to_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 30)
    (tmp_path / "b").write_bytes(b"x" * 10)
    assert shares_by_size([[tmp_path / "a"], [tmp_path / "b"]]) == [0.75, 0.25]
    part = open_bytes(graph([*COLUMN, *BEGIN, *end("begin")]))
    shares = shares_by_time(PartChain([part, part], [[LOGITS], []]), feeds(2, 5))
    assert len(shares) == 2
    assert abs(sum(shares) - 1) < 0.001
