"""What the tensors of a graph are, and what crosses the places where it could be cut."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.streams.sharding.anatomy import dissect, name_of
from headrace.streams.sharding.errors import GraphCapturesError
from tests.graphs import BEGIN, COLUMN, IDS, LOGITS, MASK, end, graph, node

CHAIN = (*COLUMN, *BEGIN, node("MatMul", ["begin", "square"], "one"), node("Tanh", ["one"], "two"), *end("two"))


def test_weights_inputs_what_is_cheap_and_work_are_told_apart() -> None:
    anatomy = dissect(graph([node("Neg", ["table"], "minus"), *CHAIN]), LOGITS)
    assert {name: anatomy.kinds[name] for name in ("table", IDS, "column", "begin", "two", LOGITS)} == {
        "table": "constant",
        IDS: "input",
        "column": "cheap",
        "begin": "work",
        "two": "work",
        LOGITS: "work",
    }
    assert "minus" not in anatomy.kinds, "nothing needs it"
    assert anatomy.inputs == (IDS, MASK)


def test_only_work_crosses_a_place() -> None:
    anatomy = dissect(graph(CHAIN), LOGITS)
    assert [name_of(node) for node in anatomy.work] == ["begin", "one", "two", "end_seen", "end_sum", LOGITS]
    assert anatomy.crossings() == [{"begin"}, {"one"}, {"two"}, {"end_seen"}, {"end_sum"}]


def test_a_tensor_that_is_needed_later_crosses_until_then() -> None:
    anatomy = dissect(graph([*CHAIN[:-3], node("Add", ["two", "begin"], "three"), *end("three")]), LOGITS)
    assert anatomy.crossings()[:3] == [{"begin"}, {"begin", "one"}, {"begin", "two"}]


def test_a_branch_at_the_end_of_the_file_runs_as_early_as_it_can() -> None:
    late = [
        node("ReduceSum", ["begin", "axis"], "jumped", keepdims=0),
        node("Add", ["end_sum", "jumped"], "both"),
        node("MatMul", ["both", "head"], LOGITS),
    ]
    crossings = dissect(graph([*CHAIN[:-1], *late]), LOGITS).crossings()
    assert {"begin", "two"} not in crossings
    assert {"jumped", "two"} in crossings


def test_what_is_remade_comes_with_what_it_hangs_on() -> None:
    anatomy = dissect(graph(CHAIN), LOGITS)
    nodes, roots = anatomy.remade(["column", "begin"])
    assert {name_of(node) for node in nodes} == {"mask_float", "column"}
    assert roots == {MASK, "last"}


def test_a_dequantised_weight_is_remade_where_it_is_used() -> None:
    import numpy as np

    weights = {"small": np.ones((4, 4), np.int8), "scale": np.float32(0.5)}
    nodes = [
        *CHAIN[:3],
        node("Cast", ["small"], "wide", to=1),
        node("Mul", ["wide", "scale"], "weight"),
        node("MatMul", ["begin", "weight"], "two"),
        *end("two"),
    ]
    anatomy = dissect(graph(nodes, weights), LOGITS)
    assert anatomy.kinds["weight"] == "constant"
    assert anatomy.remade(["weight"])[1] == {"small", "scale"}


def branching(captured: bool) -> Any:
    from onnx import TensorProto, helper

    def branch(name: str) -> Any:
        made = (
            helper.make_node("Identity", ["two"], [name])
            if captured
            else helper.make_node("Constant", [], [name], value=helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0]))
        )
        return helper.make_graph([made], name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)])

    model = graph([*CHAIN[:-3], node("Add", ["two", "chosen"], "three"), *end("three")])
    flag = helper.make_node("Constant", [], ["flag"], value=helper.make_tensor("f", TensorProto.BOOL, [], [True]))
    choice = helper.make_node("If", ["flag"], ["chosen"], then_branch=branch("yes"), else_branch=branch("no"))
    at = [one.output[0] for one in model.graph.node].index("three")
    model.graph.node.insert(at, choice)
    model.graph.node.insert(at, flag)
    return model


@pytest.mark.provokes("HR331")
def test_a_branch_that_reaches_outside_is_refused_by_name() -> None:
    with pytest.raises(GraphCapturesError, match="the If node 'chosen' uses 'two' from outside"):
        dissect(branching(captured=True), LOGITS)


def test_a_branch_that_keeps_to_itself_is_a_node_like_any_other() -> None:
    assert dissect(branching(captured=False), LOGITS).kinds["chosen"] == "constant"
