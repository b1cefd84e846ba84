"""Parts of a graph: whatever the graph and wherever it is cut, together they give what the whole gives."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.registry.shard import ManifestShard, refuse_gaps
from headrace.streams.sharding.anatomy import dissect
from headrace.streams.sharding.chain import PartChain
from headrace.streams.sharding.cut import cut_graph
from headrace.streams.sharding.workbench import input_tensors
from tests.graphs import BEGIN, COLUMN, LOGITS, Node, end, feeds, graph, node, open_bytes, run


@st.composite
def graphs(draw: st.DrawFn) -> Any:
    """Draw a graph: states made of earlier ones, of the mask, and of weights, in any order; branches at the end too."""
    states = ["begin"]
    nodes: list[Node] = [*COLUMN, *BEGIN]
    for at in range(draw(st.integers(1, 8))):
        one, other = draw(st.sampled_from(states)), draw(st.sampled_from(states))
        kinds = {
            "weigh": node("MatMul", [one, "square"], f"state_{at}"),
            "bend": node("Tanh", [one], f"state_{at}"),
            "add": node("Add", [one, other], f"state_{at}"),
            "mask": node("Mul", [one, "column"], f"state_{at}"),
            "shape": node("Softmax", [one], f"state_{at}", axis=-1),
        }
        nodes.append(kinds[draw(st.sampled_from(sorted(kinds)))])
        states.append(f"state_{at}")
    nodes += end(states[-1])[:2]
    jumping = draw(st.sampled_from(states))
    nodes += [
        node("ReduceSum", [jumping, "axis"], "jumped", keepdims=0),
        node("Add", ["end_sum", "jumped"], "both"),
        node("MatMul", ["both", "head"], LOGITS),
    ]
    return graph(nodes)


@given(model=graphs(), data=st.data())
def test_any_cut_of_any_graph_gives_the_same_answers(model: Any, data: st.DataObject) -> None:
    anatomy = dissect(model, LOGITS)
    places = data.draw(st.sets(st.integers(0, len(anatomy.work) - 2), min_size=1, max_size=3).map(sorted))
    inputs = feeds(3, 5, ragged=True)
    pieces = cut_graph(anatomy, places, input_tensors(tensors_of(anatomy), inputs))
    chain = PartChain([open_bytes(piece.model) for piece in pieces], [made(piece) for piece in pieces])
    np.testing.assert_allclose(chain.last(chain.run(inputs)), run(model, inputs)[0], rtol=1e-5, atol=1e-6)
    shards = [
        ManifestShard(file=f"{at}", inputs=piece.inputs, outputs=piece.outputs, passes=piece.passes)
        for at, piece in enumerate(pieces)
    ]
    refuse_gaps(shards, tuple(inputs))


def test_a_part_takes_only_what_crosses_and_what_it_remakes() -> None:
    model = graph([*COLUMN, *BEGIN, node("Tanh", ["begin"], "one"), node("Tanh", ["one"], "two"), *end("two")])
    anatomy = dissect(model, LOGITS)
    first, second, third = cut_graph(anatomy, [0, 1], input_tensors(tensors_of(anatomy), feeds(1, 3)))
    assert (first.inputs, second.inputs, third.inputs) == (("input_ids",), ("begin",), ("attention_mask", "one"))
    assert [one.name for one in first.outputs] == ["begin", "attention_mask"]
    assert (first.passes, second.passes, third.passes) == (("attention_mask",), ("attention_mask",), ())
    assert third.outputs == ()
    assert [one.name for one in first.model.graph.initializer] == ["table"]
    assert "table" not in {one.name for part in (second, third) for one in part.model.graph.initializer}


def made(piece: Any) -> tuple[str, ...]:
    return tuple(one.name for one in piece.outputs if one.name not in piece.passes)


def tensors_of(anatomy: Any) -> dict[str, Any]:
    """Return the boundary tensors of these graphs: states are [batch, tokens, 4], sums [batch, 4]."""
    from headrace.core.registry.shard import BoundaryTensor

    names = frozenset().union(*anatomy.crossings())
    sums = {"end_sum", "jumped", "both"}
    return {
        name: BoundaryTensor(name=name, dtype="float32", shape=("batch", 4) if name in sums else ("batch", "tokens", 4))
        for name in names
    }
