"""A small model of numbers: the pipeline with its full results against a plain aiokafka loop, JSON and raw float32."""

from __future__ import annotations

import sys

from benchmarks.bench import Bench, Rate, headrace
from benchmarks.ffnn_model import LABELS, SIZE, records, write_model
from benchmarks.figures import Table, spread

PIPELINE = """\
headrace: 1
pipeline: {name}
input:
  topic: {topic}
  codec: {{tensor: {{tensors: {{x: {{dtype: float32, shape: [{size}], path: pixels}}}}, encoding: {encoding}}}}}
models: {{net: {{onnx: {{model: ffnn@1}}}}}}
output: [{{topic: {{name: {name}.out}}}}]
batch: {{max_records: 500}}
"""
# More a second than any machine of today gets through, so that there is a backlog to the end.
FASTEST = {"json": 14_000, "raw": 45_000}


def measure(bench: Bench, runs: int, seconds: float) -> list[Table]:
    """Return a table an encoding: the two in turn, the ratio pair by pair."""
    write_model(bench.folder / "ffnn")
    labels = [word for label in LABELS for word in ("--label", label)]
    bench.run(*headrace("model", "import", "ffnn", str(bench.folder / "ffnn"), "--task", "tensor", *labels))
    return [_measure(bench, encoding, runs, seconds) for encoding in FASTEST]


def _measure(bench: Bench, encoding: str, runs: int, seconds: float) -> Table:
    values = records(encoding)
    bench.fill(f"ffnn-{encoding}", values * int(FASTEST[encoding] * (seconds + 2) / len(values) + 1))
    ours, bare = [], []
    for run in range(runs):
        bare.append(_bare(bench, encoding, run, seconds))
        ours.append(_pipeline(bench, encoding, run, seconds))
        print(
            f"  ffnn {encoding} {run + 1}/{runs}: bare {bare[-1].cpu:.0f}, pipeline {ours[-1].cpu:.0f} per CPU s",
            file=sys.stderr,
        )
    walls = [one.wall / other.wall for one, other in zip(ours, bare, strict=True)]
    ratios = [one.cpu / other.cpu for one, other in zip(ours, bare, strict=True)]
    return Table(
        title=f"FFNN with 28k parameters, {encoding}: pipeline against a plain aiokafka loop",
        columns=("on one core", "records/s", "records per CPU second"),
        rows=[
            ("aiokafka + onnxruntime", spread([r.wall for r in bare], 0), spread([r.cpu for r in bare], 0)),
            ("pipeline, at least once", spread([r.wall for r in ours], 0), spread([r.cpu for r in ours], 0)),
            ("pipeline / aiokafka, pair by pair", spread(walls, 2), spread(ratios, 2)),
        ],
        notes=["784 float32 a record, batches of up to 500; the loop writes label and scores, the pipeline its result"],
    )


def _bare(bench: Bench, encoding: str, run: int, seconds: float) -> Rate:
    target = f"bare-{encoding}-{run}.out"
    bench.make(target)
    words = [bench.bootstrap, f"ffnn-{encoding}", target, encoding, str(bench.folder / "ffnn")]
    with bench.child([sys.executable, "-m", "benchmarks.bare_ffnn", *words], f"{target}.log") as process:
        return bench.rate(process, target, warm=2000, seconds=seconds)


def _pipeline(bench: Bench, encoding: str, run: int, seconds: float) -> Rate:
    name = f"ffnn-{encoding}-{run}"
    file = bench.folder / f"{name}.yaml"
    file.write_text(PIPELINE.format(name=name, topic=f"ffnn-{encoding}", size=SIZE, encoding=encoding))
    with bench.child(headrace("run", str(file)), f"{name}.log") as process:
        return bench.rate(process, f"{name}.out", warm=2000, seconds=seconds)
