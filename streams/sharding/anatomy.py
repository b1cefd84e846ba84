"""What the tensors of a graph are, in which order its work is done, and what crosses each place where it could be cut.

Only what depends on a text by real work has to travel. What hangs on weights alone is made again in each part, and so
is what follows cheaply from the graph's inputs, such as a mask's penalties: those inputs then travel instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from headrace.streams.sharding.errors import GraphCapturesError

__all__ = ["Anatomy", "Kind", "dissect", "name_of"]

Kind = Literal["constant", "input", "cheap", "work"]

# Of a node these are work, however small its weights are.
_WORK = frozenset(
    (
        *("Attention", "EmbedLayerNormalization", "GroupQueryAttention", "MultiHeadAttention"),
        *("Conv", "Einsum", "Gemm", "MatMul", "MatMulInteger", "MatMulNBits", "QLinearMatMul"),
        *("DynamicQuantizeMatMul", "GRU", "LSTM", "RNN"),
        *("LayerNormalization", "SkipLayerNormalization", "Softmax"),
    )
)
# A node with more weights than this is not made twice: an embedding table belongs to one part. A table of relative
# positions (32 buckets, 12 heads: 1.5 kB) is made again; 256 bytes let the scalars of the smallest graphs be cheap.
_CHEAP_BYTES, _CHEAP_SHARE = 256, 1000


@dataclass(frozen=True)
class Anatomy:
    """A graph, understood.

    Attributes:
        model: the model, as read.
        output: the tensor that it is run for.
        inputs: the inputs that this tensor depends on.
        kinds: what each tensor is.
        makers: the node that makes a tensor, for all that are neither weights nor inputs.
        weights: bytes of each initializer.
        work: the nodes that are done once, in an order in which the graph can be run and cut.
    """

    model: Any
    output: str
    inputs: tuple[str, ...]
    kinds: Mapping[str, Kind]
    makers: Mapping[str, Any]
    weights: Mapping[str, int]
    work: tuple[Any, ...]

    def crossings(self) -> list[frozenset[str]]:
        """Return for each place, behind the first node of `work` and so on, the tensors that cross it."""
        last = {name: at for at, node in enumerate(self.work) for name in node.input}
        last[self.output] = len(self.work)
        live: set[str] = set()
        found = []
        for at, node in enumerate(self.work[:-1]):
            live.update(name for name in node.output if last.get(name, -1) > at)
            live = {name for name in live if last[name] > at}
            found.append(frozenset(live))
        return found

    def remade(self, names: Iterable[str]) -> tuple[list[Any], set[str]]:
        """Return what has to be made again so that these tensors are there.

        Args:
            names: tensors of any kind; work is left out, since it is not made again.

        Returns: the nodes, in no order, and the inputs and weights that they and the tensors hang on.
        """
        nodes: dict[str, Any] = {}
        roots: set[str] = set()
        left, seen = list(names), set[str]()
        while left:
            name = left.pop()
            if name in seen or not name or self.kinds[name] == "work":
                continue
            seen.add(name)
            maker = self.makers.get(name)
            if maker is None:
                roots.add(name)
            else:
                nodes[name_of(maker)] = maker
                left.extend(maker.input)
        return list(nodes.values()), roots


def dissect(model: Any, output: str) -> Anatomy:
    """Return the anatomy of a model; what its output does not need is left out.

    Args:
        model: with its weights.
        output: the tensor that counts.

    Raises:
        GraphCapturesError: HR331.
    """
    graph = model.graph
    nodes = _needed(graph, output)
    for node in nodes:
        _refuse_captures(node)
    weights = {tensor.name: _size(tensor) for tensor in graph.initializer}
    inputs = [given.name for given in graph.input if given.name not in weights]
    kinds: dict[str, Kind] = {**dict.fromkeys(weights, "constant"), **dict.fromkeys(inputs, "input")}
    cheap_bytes = max(_CHEAP_BYTES, sum(weights.values()) // _CHEAP_SHARE)
    for node in nodes:
        kind = _kind(node, kinds, weights, cheap_bytes)
        kinds.update((name, kind) for name in node.output if name)
    read = {name for node in nodes for name in node.input}
    return Anatomy(
        model=model,
        output=output,
        inputs=tuple(name for name in inputs if name in read),
        kinds=kinds,
        makers={name: node for node in nodes for name in node.output if name},
        weights=weights,
        work=tuple(_by_depth([node for node in nodes if kinds[name_of(node)] == "work"])),
    )


def name_of(node: Any) -> str:
    """Return what tells a node from all others: a tensor that it makes, since nodes need not have names."""
    return str(next(name for name in node.output if name))


def _needed(graph: Any, output: str) -> list[Any]:
    """Return the nodes that an output needs, in the order of the graph."""
    wanted, nodes = {output}, []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            nodes.append(node)
    return nodes[::-1]


def _kind(node: Any, kinds: Mapping[str, Kind], weights: Mapping[str, int], cheap_bytes: int) -> Kind:
    given = [name for name in node.input if name]
    found = {kinds[name] for name in given}
    if found <= {"constant"}:
        return "constant"
    is_work = "work" in found or node.op_type in _WORK or any(_graphs(node))
    return "work" if is_work or sum(weights.get(name, 0) for name in given) > cheap_bytes else "cheap"


def _by_depth(nodes: Sequence[Any]) -> list[Any]:
    """Return the nodes as early as they can run.

    Exporters put side branches, such as a pooling of every layer, at the end: until then whole layers would have to
    travel. Done at once, the branch leaves one small tensor.
    """
    depth: dict[str, int] = {}
    keys = []
    for at, node in enumerate(nodes):
        own = 1 + max((depth.get(name, 0) for name in node.input), default=0)
        depth.update((name, own) for name in node.output if name)
        keys.append((own, at))
    return [nodes[at] for _, at in sorted(keys)]


def _graphs(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _refuse_captures(node: Any) -> None:
    for graph in _graphs(node):
        captured = sorted(_captured(graph, frozenset()))
        if captured:
            raise GraphCapturesError(
                f"the {node.op_type} node {node.name or name_of(node)!r} uses {captured[0]!r} from outside",
                mend="export the model without control flow",
            )


def _captured(graph: Any, around: frozenset[str]) -> set[str]:
    """Return what a graph inside of a node uses that neither it nor a graph around it, inside the node, has."""
    own = {one.name for one in (*graph.input, *graph.initializer)} | {
        name for node in graph.node for name in node.output
    }
    known = around | own
    used = {name for node in graph.node for name in node.input if name} | {given.name for given in graph.output}
    inner = (_captured(one, known) for node in graph.node for one in _graphs(node))
    return (used - known).union(*inner)


def _size(tensor: Any) -> int:
    return len(tensor.raw_data) or int(tensor.ByteSize())
