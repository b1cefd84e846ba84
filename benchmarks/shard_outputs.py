"""Whether a model in parts says what the whole one says: scores and labels, alone and among others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from benchmarks.bench import Bench, headrace
from benchmarks.figures import Bar, Table
from benchmarks.steps import built_in
from headrace.core.record import Batch, Position, Record
from headrace.core.step import StepContext
from headrace.core.wire.frame import decode_frame, encode_frames, encode_record

_TEXTS, _TOGETHER = 200, 33
Outputs = Sequence[Mapping[str, Any]]
Infer = Callable[[Sequence[Record]], Outputs]


def measure(bench: Bench, texts: Sequence[str]) -> Table:
    """Return the table of differences; `reviews@1` and, of two parts, `reviews@2` must be there."""
    bench.run(*headrace("model", "shard", "reviews@1", "--parts", "3"))
    registry = f"{bench.environ['HEADRACE_HOME']}/registry"
    records = [Record(id=str(at), source=Position("in", 0, at), text=text) for at, text in enumerate(texts[:_TEXTS])]
    whole = _whole(registry)
    ways: dict[str, tuple[Infer, Infer]] = {
        "whole, alone / among 32": (partial(_alone, whole), partial(_among, whole)),
        "float16 on the link, 2 parts / whole": (
            partial(_among, _parts(registry, 2, "float16")),
            partial(_among, whole),
        ),
    }
    for count in (2, 3):
        parts = _parts(registry, count, "float32")
        ways[f"{count} parts / whole"] = (partial(_among, parts), partial(_among, whole))
        ways[f"{count} parts, alone / among 32"] = (partial(_alone, parts), partial(_among, parts))
    seen = {way: _difference(one(records), other(records)) for way, (one, other) in ways.items()}
    return Table(
        title="Outputs of a model in parts",
        columns=(f"{_TEXTS} held-out texts", "greatest difference of a score", "labels changed"),
        rows=[(way, f"{most:.1e}", str(changed)) for way, (most, changed) in sorted(seen.items())],
        bars=[
            bar
            for way, (most, changed) in sorted(seen.items())
            if "float16" not in way
            for bar in (
                Bar(f"difference of a score, {way}", most, 1e-5, at_most=True),
                Bar(f"labels changed, {way}", changed, 0, at_most=True),
            )
        ],
        notes=["each record goes through a frame between two parts, as it does between two processes"],
    )


def _whole(registry: str) -> Infer:
    step = _opened(registry, "reviews@1", None)
    return lambda records: step.infer(Batch(records))


def _parts(registry: str, count: int, tensors: Literal["float32", "float16"]) -> Infer:
    steps = [_opened(registry, f"reviews@{count}", at) for at in range(count)]

    def infer(records: Sequence[Record]) -> Outputs:
        for step in steps[:-1]:
            rows = step.part(Batch(records))
            records = [
                _over_link(record.replace(tensors=own), tensors) for record, own in zip(records, rows, strict=True)
            ]
        outputs: Outputs = steps[-1].infer(Batch(records))
        return outputs

    return infer


def _over_link(record: Record, tensors: Literal["float32", "float16"]) -> Record:
    ((data, _),) = encode_frames("plan", "stage", [encode_record(record, tensors)], 1 << 20)
    (arrived,) = decode_frame(data).records
    if not isinstance(arrived, Record):
        raise arrived
    return arrived


def _opened(registry: str, model: str, shard: int | None) -> Any:
    step = built_in("model", "onnx", model=model)
    step.open(StepContext("bench", "expert", registry, shard=shard))
    return step


def _alone(infer: Infer, records: Sequence[Record]) -> Outputs:
    return [infer([record])[0] for record in records]


def _among(infer: Infer, records: Sequence[Record]) -> Outputs:
    """Return the outputs of batches of 33; the last one is filled up with the first records."""
    outputs: list[Mapping[str, Any]] = []
    for begin in range(0, len(records), _TOGETHER):
        batch = list(records[begin : begin + _TOGETHER])
        outputs += infer([*batch, *records[: _TOGETHER - len(batch)]])[: len(batch)]
    return outputs


def _difference(ones: Outputs, others: Outputs) -> tuple[float, int]:
    """Return the greatest difference of a score, and how many labels differ."""
    pairs = list(zip(ones, others, strict=True))
    most = max(abs(one["scores"][label] - score) for one, other in pairs for label, score in other["scores"].items())
    return most, sum(one["label"] != other["label"] for one, other in pairs)
