"""Small ONNX graphs made of whatever nodes a test wants, with the inputs of a text classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

IDS, MASK = "input_ids", "attention_mask"
WIDTH, WORDS = 4, 100
LOGITS = "logits"

Node = tuple[str, Sequence[str], str, dict[str, Any]]


def node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> Node:
    """Return a node: its type, what it takes, what it gives."""
    return kind, inputs, output, attributes


def graph(nodes: Sequence[Node], weights: Mapping[str, Any] | None = None) -> Any:
    """Return a model of these nodes: `input_ids` and `attention_mask` in, `logits` out.

    There are weights to begin with: `table` (100 x 4, of 1,600 bytes: too many to be remade), `square` (4 x 4), `head`
    (4 x 2), and the axes `axis` (1) and `last` (2).
    """
    rng = np.random.default_rng(1)
    own = {
        "table": rng.normal(size=(WORDS, WIDTH)).astype(np.float32),
        "square": rng.normal(size=(WIDTH, WIDTH)).astype(np.float32),
        "head": rng.normal(size=(WIDTH, 2)).astype(np.float32),
        "axis": np.array([1], np.int64),
        "last": np.array([2], np.int64),
    }
    given = {**own, **(weights or {})}
    used = {name for _, inputs, _, _ in nodes for name in inputs}
    made = helper.make_graph(
        [helper.make_node(kind, inputs, [output], **attributes) for kind, inputs, output, attributes in nodes],
        "small",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in (IDS, MASK)],
        [helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in given.items() if name in used],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


BEGIN = (node("Gather", ["table", IDS], "begin"),)
COLUMN = (
    node("Cast", [MASK], "mask_float", to=TensorProto.FLOAT),
    node("Unsqueeze", ["mask_float", "last"], "column"),
)


def end(source: str) -> Sequence[Node]:
    """Return the nodes from a state, ``[batch, tokens, 4]``, to the logits."""
    return (
        node("Mul", [source, "column"], "end_seen"),
        node("ReduceSum", ["end_seen", "axis"], "end_sum", keepdims=0),
        node("MatMul", ["end_sum", "head"], LOGITS),
    )


def feeds(texts: int, tokens: int, *, ragged: bool = False) -> dict[str, Any]:
    """Return inputs; ragged ones are shorter by one token from row to row, down to one."""
    rng = np.random.default_rng(texts * 100 + tokens)
    lengths = np.maximum(1, tokens - np.arange(texts)) if ragged else np.full(texts, tokens)
    mask = (np.arange(tokens) < lengths[:, None]).astype(np.int64)
    return {IDS: rng.integers(1, WORDS, (texts, tokens)) * mask, MASK: mask}


def run(model: Any, inputs: Mapping[str, Any], outputs: Sequence[str] | None = None) -> list[Any]:
    """Return what a model gives."""
    session = open_bytes(model)
    wanted = [one.name for one in session.get_inputs()]
    found: list[Any] = session.run(outputs, {name: inputs[name] for name in wanted})
    return found


def open_bytes(model: Any) -> Any:
    """Return a session on a model."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    settings.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
