"""The small model of the benchmark `ffnn`: 784-32-32-32-10, 27,562 parameters, random weights; and its records."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np

__all__ = ["LABELS", "SIZE", "records", "write_model"]

SIZE = 784
LABELS = tuple(str(digit) for digit in range(10))
_DIMS = (SIZE, 32, 32, 32, 10)
_DISTINCT = 1000


def write_model(folder: Path) -> None:
    """Write model.onnx: `x`, any number of rows of 784, to `y`, ten probabilities a row."""
    from onnx import TensorProto, helper, numpy_helper, save

    rng = np.random.default_rng(7)
    nodes, weights, given = [], [], "x"
    for at, (rows, columns) in enumerate(pairwise(_DIMS)):
        weights.append(numpy_helper.from_array(rng.normal(0, rows**-0.5 * 1.4, (rows, columns)).astype("f4"), f"w{at}"))
        weights.append(numpy_helper.from_array(rng.normal(0, 0.1, columns).astype("f4"), f"b{at}"))
        nodes.append(helper.make_node("Gemm", [given, f"w{at}", f"b{at}"], [f"g{at}"]))
        given = f"g{at}"
        if at < len(_DIMS) - 2:
            nodes.append(helper.make_node("Relu", [given], [f"r{at}"]))
            given = f"r{at}"
    nodes.append(helper.make_node("Softmax", [given], ["y"], axis=1))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", SIZE])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", len(LABELS)])
    graph = helper.make_graph(nodes, "ffnn", [x], [y], weights)
    folder.mkdir(exist_ok=True)
    save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(folder / "model.onnx")
    )


def records(encoding: str) -> list[bytes]:
    """Return a thousand records: raw float32, or JSON with the shortest decimals that give these back."""
    rows = np.random.default_rng(8).random((_DISTINCT, SIZE), dtype="f4")
    if encoding == "raw":
        return [row.astype("<f4").tobytes() for row in rows]
    return [
        json.dumps({"id": at, "pixels": [float(np.format_float_positional(value, trim="0")) for value in row]}).encode()
        for at, row in enumerate(rows)
    ]
