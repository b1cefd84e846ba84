"""A small model of numbers, JSON and raw float32: the pipeline against engines in Python and Kafka Streams in Java.

The pipeline writes its full result, and so do two loops; the others write label and scores.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.bench import Bench, Rate, headrace, ratios
from benchmarks.ffnn_model import LABELS, SIZE, records, write_model
from benchmarks.ffnn_work import BATCH
from benchmarks.figures import Bar, Table, spread
from benchmarks.java import WARM_S, build_peer, peer
from benchmarks.peers.install import python_with_peers

__all__ = ["FASTEST", "measure", "pipeline", "prepare", "table"]

PIPELINE = """\
headrace: 1
pipeline: {name}
input:
  topic: {topic}
  codec: {{tensor: {{tensors: {{x: {{dtype: float32, shape: [{size}], path: pixels}}}}, encoding: {encoding}}}}}
models: {{net: {{onnx: {{model: ffnn@1}}}}}}
output: [{{topic: {{name: {name}.out}}}}]
batch: {{max_records: {batch}}}
delivery: {{guarantee: {guarantee}, commit_every: 100ms}}
"""
# More a second than any machine of today gets through, so that there is a backlog to the end.
FASTEST = {"json": 40_000, "raw": 120_000}
LOOP, STREAMS = "aiokafka + onnxruntime", "Kafka Streams + ONNX Runtime, defaults"
FULL_LOOP = "aiokafka + onnxruntime, full result"
OTHER_LOOP, FULL_OTHER = "librdkafka + onnxruntime", "librdkafka + onnxruntime, full result"
OTHER_CLIENT = "librdkafka + the pipeline's steps"
QUIX, BYTEWAX = "Quix Streams + onnxruntime", "Bytewax + onnxruntime"
OURS, OURS_ONCE = "pipeline, at least once", "pipeline, exactly once"
BARS = {STREAMS: {"json": 0.9, "raw": 0.75}, QUIX: {"json": 1.0, "raw": 1.0}, BYTEWAX: {"json": 1.0, "raw": 1.0}}

Measure = Callable[[Bench, str, str, float], Rate]


def measure(bench: Bench, runs: int, seconds: float, cache: Path) -> list[Table]:
    """Return a table an encoding: all in turn, the ratios run by run."""
    prepare(bench)
    build_peer(bench)
    engines = _engines(python_with_peers(cache))
    return [_measure(bench, encoding, engines, runs, seconds) for encoding in FASTEST]


def prepare(bench: Bench) -> None:
    """Make the model and bring it into the registry."""
    write_model(bench.folder / "ffnn")
    labels = [word for label in LABELS for word in ("--label", label)]
    bench.run(*headrace("model", "import", "ffnn", str(bench.folder / "ffnn"), "--task", "tensor", *labels))


def pipeline(name: str, encoding: str, guarantee: str) -> str:
    """Return the text of a pipeline file."""
    facts = {"topic": f"ffnn-{encoding}", "size": SIZE, "encoding": encoding, "batch": BATCH, "guarantee": guarantee}
    return PIPELINE.format(name=name, **facts)


def _measure(bench: Bench, encoding: str, engines: Mapping[str, Measure], runs: int, seconds: float) -> Table:
    values = records(encoding)
    bench.fill(f"ffnn-{encoding}", values * int(FASTEST[encoding] * (seconds + WARM_S) / len(values) + 1))
    seen: dict[str, list[Rate]] = {name: [] for name in engines}
    for run in range(runs):
        for at, (name, measured) in enumerate(engines.items()):
            seen[name].append(measured(bench, f"ffnn-{encoding}-{run}-{at}", encoding, seconds))
        said = ", ".join(f"{name} {rates[-1].cpu:,.0f}" for name, rates in seen.items())
        print(f"  ffnn {encoding} {run + 1}/{runs}, records per CPU second: {said}", file=sys.stderr)
    return table(encoding, seen)


def table(encoding: str, seen: Mapping[str, Sequence[Rate]]) -> Table:
    """Return the table of what was seen, in records per CPU second, ratios run by run."""
    by_other = {name: ratios(seen[OURS], rates) for name, rates in seen.items()}
    return Table(
        title=f"FFNN with 28k parameters, {encoding}: pipeline against other engines",
        columns=("on one core", "records/s", "records per CPU second", "pipeline / this"),
        rows=[
            (
                name,
                spread([rate.wall for rate in rates], 0),
                spread([rate.cpu for rate in rates], 0),
                spread(by_other[name], 2),
            )
            for name, rates in seen.items()
        ],
        bars=[
            Bar(f"FFNN {encoding} pipeline / {name.partition(' +')[0]}", median(by_other[name]), asked[encoding])
            for name, asked in BARS.items()
        ],
        notes=[
            f"784 float32 a record; in Python batches of up to {BATCH} in one run, in Java one by one",
            "the pipeline writes its full result with its headers, the others label and scores, but for the loops that"
            " make the full result by the pipeline's own functions; ratios of records per CPU second, run by run, are"
            " to the pipeline at least once",
            "the pipeline's steps between a consumer and a producer of librdkafka, without journal, control topic and "
            "health, are the most that another client could give",
            "the pipeline and Quix Streams commit every 100 ms, the two loops each batch; Bytewax commits nothing, its "
            "snapshots are off here",
        ],
    )


def _engines(with_peers: str) -> dict[str, Measure]:
    flow = "benchmarks.peers.bytewax_ffnn:flow"
    return {
        LOOP: partial(_loop, ["benchmarks.bare_ffnn"]),
        FULL_LOOP: partial(_loop, ["benchmarks.bare_ffnn", "full"]),
        OTHER_LOOP: partial(_loop, ["benchmarks.peers.librdkafka_ffnn"]),
        FULL_OTHER: partial(_loop, ["benchmarks.peers.librdkafka_ffnn", "full"]),
        OTHER_CLIENT: _steps,
        STREAMS: _streams,
        QUIX: partial(_peer, [with_peers, "-m", "benchmarks.peers.quix_ffnn"]),
        BYTEWAX: partial(_peer, [with_peers, "-m", "bytewax.run", flow]),
        OURS: partial(_pipeline, "at_least_once"),
        OURS_ONCE: partial(_pipeline, "exactly_once"),
    }


def _loop(module: Sequence[str], bench: Bench, name: str, encoding: str, seconds: float) -> Rate:
    words = [bench.bootstrap, f"ffnn-{encoding}", f"{name}.out", encoding, str(bench.folder / "ffnn"), *module[1:]]
    return _rate(bench, [sys.executable, "-m", module[0], *words], name, encoding, seconds)


def _steps(bench: Bench, name: str, encoding: str, seconds: float) -> Rate:
    words = ["-m", "benchmarks.peers.librdkafka_steps", bench.bootstrap, str(_file(bench, name, encoding))]
    return _rate(bench, [sys.executable, *words], name, encoding, seconds)


def _streams(bench: Bench, name: str, encoding: str, seconds: float) -> Rate:
    words = peer(bench, f"ffnn-{encoding}", f"{name}.out", work=encoding, model=str(bench.folder / "ffnn"))
    return _rate(bench, words, name, encoding, seconds, warm_s=WARM_S)


def _peer(words: list[str], bench: Bench, name: str, encoding: str, seconds: float) -> Rate:
    bench.environ.update(SOURCE=f"ffnn-{encoding}", TARGET=f"{name}.out", BOOTSTRAP=bench.bootstrap)
    bench.environ.update(ENCODING=encoding, MODEL=str(bench.folder / "ffnn"))
    return _rate(bench, words, name, encoding, seconds)


def _pipeline(guarantee: str, bench: Bench, name: str, encoding: str, seconds: float) -> Rate:
    file = _file(bench, name, encoding, guarantee)
    return _rate(bench, headrace("run", str(file)), name, encoding, seconds, by_reading=guarantee == "exactly_once")


def _file(bench: Bench, name: str, encoding: str, guarantee: str = "at_least_once") -> Path:
    file = bench.folder / f"{name}.yaml"
    file.write_text(pipeline(name, encoding, guarantee))
    return file


def _rate(
    bench: Bench,
    words: list[str],
    name: str,
    encoding: str,
    seconds: float,
    *,
    warm_s: float = 1.0,
    by_reading: bool = False,
) -> Rate:
    target, warm = f"{name}.out", int(FASTEST[encoding] / 2 * warm_s)
    bench.make(target)
    with bench.child(words, f"{name}.log") as process:
        return bench.rate(process, target, warm=warm, seconds=seconds, by_reading=by_reading)
