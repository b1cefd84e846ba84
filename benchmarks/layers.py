"""What a run of eight texts gains over eight runs of one, by how many layers of MiniLM there are.

A run reads all weights once. Where they outgrow the cache they come from memory, for each text anew when texts go one
by one; so on one processor runs gain a tenth, on another a half, by the same model and the same onnxruntime.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from math import prod
from pathlib import Path
from typing import Any

from benchmarks.bench import MEASURED_CORE
from benchmarks.figures import Table, spread

__all__ = ["measure"]

TOGETHER, TOKENS = 8, 27
_MB = 1e6
_LOOKED_UP = 10_000_000
"""A table with so many numbers is that of the words, of which a text needs a few rows."""

Seen = dict[str, dict[str, list[float]]]
"""Layers -> `mb`, and milliseconds a text, one by one (`one`) and in runs of eight (`eight`)."""


def measure(model: Path, runs: int) -> Table:
    """Return the table: all sizes in turn, in a process of their own on one core."""
    words = ["taskset", "-c", str(MEASURED_CORE), sys.executable, "-m", "benchmarks.layers", str(model), str(4 * runs)]
    seen: Seen = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    return table(seen)


def table(seen: Seen) -> Table:
    """Return the table of what was seen."""
    return Table(
        title="What runs of eight gain, by the size of a model",
        columns=("layers of MiniLM", "MB of weights", "ms a text, one by one", "ms a text, runs of eight", "gain"),
        rows=[
            (
                layers,
                f"{figures['mb'][0]:.0f}",
                spread(figures["one"], 2),
                spread(figures["eight"], 2),
                spread([one / eight for one, eight in zip(figures["one"], figures["eight"], strict=True)], 2),
            )
            for layers, figures in seen.items()
        ],
        notes=[
            f"bare onnxruntime, one thread, texts of {TOKENS} tokens; weights as float32, as they are once it is open;"
            " the table of words left out, of which a text needs few rows",
        ],
    )


def main(model: str, repeats: int) -> None:
    """Print what was seen, as JSON."""
    import onnx.utils

    whole = onnx.shape_inference.infer_shapes(onnx.load(f"{model}/model.onnx"))
    norms = [node.output[0] for node in whole.graph.node if node.op_type == "LayerNormalization"]
    extractor = onnx.utils.Extractor(whole)
    given = [each.name for each in whole.graph.input]
    seen: Seen = {}
    sessions: dict[str, Any] = {}
    for count, end in enumerate(norms[2::2], 1):  # the first is that of the words, and each layer has two
        cut = extractor.extract_model(given, [end])
        sessions[str(count)] = _session(cut.SerializeToString())
        seen[str(count)] = {"mb": [_weights(cut) * 4 / _MB], "one": [], "eight": []}
    for _ in range(repeats):
        for layers, session in sessions.items():
            seen[layers]["one"].append(_ms(session, 1))
            seen[layers]["eight"].append(_ms(session, TOGETHER))
    print(json.dumps(seen))


def _weights(cut: Any) -> int:
    counts = [prod(each.dims) for each in cut.graph.initializer]
    return sum(count for count in counts if count < _LOOKED_UP)


def _session(graph: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _ms(session: Any, rows: int) -> float:
    """Return the milliseconds of CPU time a text, of as many runs as sixteen texts take."""
    import numpy as np

    feeds = {given.name: np.ones((rows, TOKENS), "int64") for given in session.get_inputs()}
    session.run(None, feeds)
    begun = time.process_time()
    for _ in range(16 // rows):
        session.run(None, feeds)
    return (time.process_time() - begun) * 1000 / 16


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
