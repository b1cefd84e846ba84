"""Turn an encoder's ONNX graph into an embedder, and the embedder into a classifier, by nodes added at its end.

The embedding of a text is the mean of its token vectors after the word embeddings and after every layer, side by side.
Learned on 8,605 reviews with five-fold cross-validation, the last layer alone gives 0.778, all of them 0.803: the
layers below the last know more of a text's mood, the last one more of its subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headrace.streams.demo.errors import GraphJoinError

if TYPE_CHECKING:
    from headrace.streams.demo.train import Head

__all__ = ["EMBEDDING", "INPUTS", "LOGITS", "add_head", "add_pooling"]

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
EMBEDDING = "headrace_embedding"
LOGITS = "logits"

_OWN = "headrace_"  # before the names of all that is added, so that none meets one of the encoder's
_OLDEST_OPSET = 17  # the first with LayerNormalization as a node


def add_pooling(encoder: bytes) -> bytes:
    """Return the encoder with one output, `headrace_embedding`: float32 ``[batch, width]``.

    Args:
        encoder: an ONNX model in the manner of BERT, whose layer normalisations are nodes: one after the word
            embeddings, two in each layer. Its inputs are int64 ``[batch, tokens]``; mask 1 = token, 0 = padding.

    Raises:
        GraphJoinError: HR427, the graph is not such a model.
    """
    import onnx

    model = onnx.load_from_string(encoder)
    _check(model)
    states = _layer_outputs(model)
    add = _Nodes(model)
    mask = add.node("Cast", ["attention_mask"], "mask", to=onnx.TensorProto.FLOAT)
    weights = add.node("Unsqueeze", [mask, add.ints("last", [-1])], "weights")
    # A text without a token has no mean; 0/0 would be NaN.
    tokens = add.node("ReduceSum", [mask, add.ints("tokens_axis", [1])], "tokens", keepdims=1)
    count = add.node("Max", [tokens, add.floats("one", [1.0])], "count")
    means = [_mean(add, state, weights, count, at) for at, state in enumerate(states)]
    add.node("Concat", means, EMBEDDING, axis=-1, is_output=True)
    return _finished(model, EMBEDDING, None)


def add_head(embedder: bytes, head: Head) -> bytes:
    """Return the embedder with its embedding replaced by `logits`: float32 ``[batch, labels]``.

    Raises:
        GraphJoinError: HR427, the head was trained on embeddings of another width.
    """
    import onnx

    model = onnx.load_from_string(embedder)
    add = _Nodes(model)
    weights = add.floats("head_weights", head.weights)
    bias = add.floats("head_bias", head.bias)
    product = add.node("MatMul", [EMBEDDING, weights], "head_product")
    add.node("Add", [product, bias], LOGITS, is_output=True)
    return _finished(model, LOGITS, len(head.bias))


class _Nodes:
    """Adds nodes and constants to a model, under names of their own."""

    def __init__(self, model: Any) -> None:
        self._graph = model.graph

    def node(self, kind: str, inputs: Sequence[str], name: str, *, is_output: bool = False, **attributes: Any) -> str:
        """Add a node and return the name of what it gives."""
        from onnx import helper

        output = name if is_output else _OWN + name
        self._graph.node.append(helper.make_node(kind, inputs, [output], name=_OWN + name, **attributes))
        return output

    def ints(self, name: str, values: Any) -> str:
        """Add an int64 constant and return its name."""
        return self._constant(name, values, "int64")

    def floats(self, name: str, values: Any) -> str:
        """Add a float32 constant and return its name."""
        return self._constant(name, values, "float32")

    def _constant(self, name: str, values: Any, kind: str) -> str:
        import numpy as np
        from onnx import numpy_helper

        self._graph.initializer.append(numpy_helper.from_array(np.asarray(values, dtype=kind), _OWN + name))
        return _OWN + name


def _mean(add: _Nodes, state: str, weights: str, count: str, at: int) -> str:
    seen = add.node("Mul", [state, weights], f"seen_{at}")
    total = add.node("ReduceSum", [seen, add.ints(f"total_axis_{at}", [1])], f"total_{at}", keepdims=0)
    return add.node("Div", [total, count], f"mean_{at}")


def _check(model: Any) -> None:
    inputs = tuple(given.name for given in model.graph.input)
    if sorted(inputs) != sorted(INPUTS):
        raise _unfit(f"has the inputs {', '.join(inputs)}; needed are {', '.join(INPUTS)}")
    opsets = [opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")]
    if not opsets or max(opsets) < _OLDEST_OPSET:
        raise _unfit(f"has opset {max(opsets, default=0)}; needed is {_OLDEST_OPSET}")


def _layer_outputs(model: Any) -> list[str]:
    """Return what comes out of the embeddings and out of each layer: every second normalisation, from the first."""
    normalised = [node.output[0] for node in model.graph.node if node.op_type == "LayerNormalization"]
    states, last = normalised[::2], model.graph.output[0].name
    if len(normalised) % 2 == 0 or states[-1] != last:
        raise _unfit(f"has {len(normalised)} layer normalisations, of which the last should give its output {last}")
    return states


def _finished(model: Any, output: str, width: int | None) -> bytes:
    import onnx

    del model.graph.output[:]
    shape = ["batch", width or "width"]
    model.graph.output.append(onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, shape))
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise _unfit(f"cannot be extended: {' '.join(str(error).split())[:300]}") from error
    content: bytes = model.SerializeToString()
    return content


def _unfit(fault: str) -> GraphJoinError:
    return GraphJoinError(f"the encoder {fault}", mend="use the encoder that this Headrace pins")
