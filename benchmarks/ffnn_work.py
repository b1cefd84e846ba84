"""The work of the benchmark `ffnn` as its peers in Python do it: a batch of values in, as many results out.

The peers write label and scores. One loop writes what a pipeline writes, by the pipeline's own functions, to show what
that alone costs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from headrace.core.record import Headers

__all__ = ["BATCH", "full_scorer", "scorer"]

BATCH = 500
"""Most records of a run, here and in the pipeline."""


Labels = tuple[list[int], list[list[float]]]


def scorer(encoding: str, model: str) -> Callable[[Sequence[bytes]], list[bytes]]:
    """Return what decodes values, raw or json, runs the graph in a folder once, and writes label and scores as JSON."""
    import msgspec

    judge, encode = _judge(encoding, model), msgspec.json.Encoder().encode

    def score(values: Sequence[bytes]) -> list[bytes]:
        return [encode({"label": label, "scores": row}) for label, row in zip(*judge(values), strict=True)]

    return score


def full_scorer(encoding: str, model: str, target: str) -> Callable[[Sequence[Any]], list[tuple[bytes, Headers]]]:
    """Return what makes the whole result of aiokafka's records, with its headers, as a pipeline does."""
    from benchmarks.ffnn_model import LABELS
    from headrace.core.record import Position, Record
    from headrace.core.wire.cloudevents import headers_of_results
    from headrace.core.wire.result import ResultFacts, Spent, iso_time
    from headrace.core.wire.written import ResultWriter

    judge, facts = _judge(encoding, model), ResultFacts("peer", "0" * 12)

    def score(records: Sequence[Any]) -> list[tuple[bytes, Headers]]:
        now = time.time() * 1000
        best, scores = judge([one.value for one in records])
        made = iso_time(now)
        write, head = ResultWriter(facts, Spent(now, now, 0.0, 0.0), made), headers_of_results("peer", made, target)
        results = []
        for one, label, row in zip(records, best, scores, strict=True):
            record = Record(
                id=f"{one.topic}:{one.partition}:{one.offset}",
                source=Position(one.topic, one.partition, one.offset),
                key=one.key,
                timestamp_ms=one.timestamp,
                output={"label": LABELS[label], "score": row[label], "scores": dict(zip(LABELS, row, strict=True))},
            )
            results.append((write.value(record), head(record)))
        return results

    return score


def _judge(encoding: str, model: str) -> Callable[[Sequence[bytes]], Labels]:
    """Return what decodes values and runs the graph: the place of the best score, and all scores."""
    import msgspec
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(f"{model}/model.onnx", options, providers=["CPUExecutionProvider"])
    decode = msgspec.json.Decoder().decode

    def rows_of(values: Sequence[bytes]) -> np.ndarray[Any, Any]:
        if encoding == "raw":
            return np.frombuffer(b"".join(values), "<f4").reshape(len(values), -1)
        return np.array([decode(value)["pixels"] for value in values], "f4")

    def judge(values: Sequence[bytes]) -> Labels:
        found = session.run(None, {"x": rows_of(values)})[0]
        return found.argmax(1).tolist(), found.tolist()

    return judge
