"""Tiny graphs of numbers with random weights in folders of their own; what real exports do otherwise are options."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

__all__ = ["DIGITS", "expected", "write_digits", "write_graph"]

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SIZES = (784, 32, 32, 32, 10)


def write_digits(folder: Path, *, first: str | int = "n", softmax: bool = True, seed: int = 7) -> Path:
    """Write model.onnx: images of 28 x 28 through three hidden layers to ten scores, `x` to `y`.

    Args:
        folder: is made.
        first: the first axis of `x`.
        softmax: whether it ends in softmax.
        seed: of its weights.
    """
    nodes = [helper.make_node("Flatten", ["x"], ["flat"])]
    given = "flat"
    for at, _ in enumerate(_SIZES[1:]):
        nodes.append(helper.make_node("Gemm", [given, f"w{at}", f"b{at}"], [f"g{at}"]))
        given = f"g{at}"
        if at < len(_SIZES) - 2:
            nodes.append(helper.make_node("Relu", [given], [f"r{at}"]))
            given = f"r{at}"
    nodes.append(helper.make_node("Softmax" if softmax else "Identity", [given], ["y"]))
    weights = [numpy_helper.from_array(array, name) for name, array in _weights(seed).items()]
    return write_graph(folder, nodes, [("x", "float32", (first, 28, 28))], [("y", "float32", (first, 10))], weights)


def write_graph(
    folder: Path,
    nodes: Sequence[Any],
    inputs: Sequence[tuple[str, str, Sequence[Any]]],
    outputs: Sequence[tuple[str, str, Sequence[Any]]],
    weights: Sequence[Any] = (),
) -> Path:
    """Write model.onnx of these nodes and return its folder; inputs and outputs are names, types and shapes."""
    graph = helper.make_graph(list(nodes), "small", _infos(inputs), _infos(outputs), list(weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    folder.mkdir(parents=True, exist_ok=True)
    save(model, str(folder / "model.onnx"))
    return folder


def expected(images: np.ndarray[Any, Any], seed: int = 7) -> np.ndarray[Any, Any]:
    """Return the scores of images, ``[n, 10]``, worked out without onnxruntime."""
    weights = _weights(seed)
    rows = images.reshape(len(images), -1).astype("float64")
    for at, _ in enumerate(_SIZES[1:]):
        rows = rows @ weights[f"w{at}"] + weights[f"b{at}"]
        rows = np.maximum(rows, 0) if at < len(_SIZES) - 2 else rows
    powers = np.exp(rows - rows.max(axis=1, keepdims=True))
    scores: np.ndarray[Any, Any] = powers / powers.sum(axis=1, keepdims=True)
    return scores


def _weights(seed: int) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    made = {}
    for at, (rows, columns) in enumerate(pairwise(_SIZES)):
        made[f"w{at}"] = rng.normal(0, rows**-0.5 * 1.4, (rows, columns)).astype("float32")
        made[f"b{at}"] = rng.normal(0, 0.1, columns).astype("float32")
    return made


def _infos(given: Sequence[tuple[str, str, Sequence[Any]]]) -> list[Any]:
    return [
        helper.make_tensor_value_info(name, getattr(TensorProto, _TYPES.get(dtype, dtype)), list(shape))
        for name, dtype, shape in given
    ]


_TYPES = {"float32": "FLOAT", "float64": "DOUBLE", "int64": "INT64", "bool": "BOOL", "text": "STRING"}
