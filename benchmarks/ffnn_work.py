"""The work of the benchmark `ffnn` as its peers in Python do it: a batch of values in, as many results out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["BATCH", "scorer"]

BATCH = 500
"""Most records of a run, here and in the pipeline."""


def scorer(encoding: str, model: str) -> Callable[[Sequence[bytes]], list[bytes]]:
    """Return what decodes values, raw or json, runs the graph in a folder once, and writes label and scores as JSON."""
    import msgspec
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(f"{model}/model.onnx", options, providers=["CPUExecutionProvider"])
    decode, encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode

    def score(values: Sequence[bytes]) -> list[bytes]:
        if encoding == "raw":
            rows = np.frombuffer(b"".join(values), "<f4").reshape(len(values), -1)
        else:
            rows = np.array([decode(value)["pixels"] for value in values], "f4")
        found = session.run(None, {"x": rows})[0]
        best = found.argmax(1).tolist()
        return [encode({"label": label, "scores": row}) for label, row in zip(best, found.tolist(), strict=True)]

    return score
