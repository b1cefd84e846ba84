"""Cut a graph at chosen places into graphs of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from headrace.core.registry.shard import BoundaryTensor
from headrace.streams.sharding.anatomy import Anatomy, name_of
from headrace.streams.sharding.library import import_onnx

__all__ = ["Piece", "cut_graph"]


@dataclass(frozen=True)
class Piece:
    """A part of a graph.

    Attributes:
        model: its graph.
        inputs: the tensors that it takes.
        outputs: everything that the pieces behind it need, from it or from before; empty for the last one.
        passes: names of those outputs that it only hands on.
    """

    model: Any
    inputs: tuple[str, ...]
    outputs: tuple[BoundaryTensor, ...]
    passes: tuple[str, ...]


def cut_graph(anatomy: Anatomy, cuts: Sequence[int], tensors: Mapping[str, BoundaryTensor]) -> list[Piece]:
    """Return the pieces of a graph, in order.

    Args:
        anatomy: of the graph.
        cuts: places in `anatomy.work`, in order; a piece ends behind each.
        tensors: types and shapes of everything that crosses a cut, inputs of the graph included.
    """
    ends = [0, *(cut + 1 for cut in cuts), len(anatomy.work)]
    own = [anatomy.work[start:end] for start, end in pairwise(ends)]
    takes = [_takes(anatomy, nodes) for nodes in own]
    found = []
    for at, nodes in enumerate(own):
        later = set().union(*takes[at + 1 :])
        made = [name for node in nodes for name in node.output if name in later]
        past = {name for nodes_before in own[:at] for node in nodes_before for name in node.output}
        passes = sorted(later & (past | set(anatomy.inputs)))
        model = _model(anatomy, nodes, sorted(takes[at]), made or [anatomy.output], tensors)
        inputs = tuple(given.name for given in model.graph.input)
        found.append(Piece(model, inputs, tuple(tensors[name] for name in (*made, *passes)), tuple(passes)))
    return found


def _takes(anatomy: Anatomy, nodes: Sequence[Any]) -> set[str]:
    """Return what these nodes need from outside: work that others do, and inputs of the whole graph."""
    used = {name for node in nodes for name in node.input if name}
    made = {name for node in nodes for name in node.output}
    _, roots = anatomy.remade(used)
    return {name for name in used - made if anatomy.kinds[name] == "work"} | roots.intersection(anatomy.inputs)


def _model(
    anatomy: Anatomy,
    nodes: Sequence[Any],
    takes: Iterable[str],
    gives: Iterable[str],
    tensors: Mapping[str, BoundaryTensor],
) -> Any:
    onnx, whole = import_onnx(), anatomy.model
    remade, roots = anatomy.remade(name for node in nodes for name in node.input)
    again = {name_of(node) for node in remade}
    given = {one.name: one for one in (*whole.graph.input, *whole.graph.output)}

    def info(name: str) -> Any:
        return given[name] if name in given else _info(onnx, tensors[name])

    graph = onnx.helper.make_graph(
        # What is remade comes first, in the order of the graph: nothing of it waits for work.
        [*(node for node in whole.graph.node if name_of(node) in again), *nodes],
        whole.graph.name or "graph",
        [info(name) for name in takes],
        [info(name) for name in gives],
        initializer=[tensor for tensor in whole.graph.initializer if tensor.name in roots],
    )
    model = onnx.helper.make_model(graph, opset_imports=whole.opset_import, ir_version=whole.ir_version)
    model.functions.extend(whole.functions)
    return model


def _info(onnx: Any, tensor: BoundaryTensor) -> Any:
    import numpy as np

    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
    return onnx.helper.make_tensor_value_info(tensor.name, kind, list(tensor.shape))
