"""A small model of numbers, JSON and raw float32: the pipeline against a plain aiokafka loop and Kafka Streams in Java.

The pipeline writes its full result, the others label and scores. The one in Java needs `java`, `javac` and `mvn`; where
they are not installed the benchmark fails rather than leave it out.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

from benchmarks.bench import Bench, Rate, headrace
from benchmarks.ffnn_model import LABELS, SIZE, records, write_model
from benchmarks.figures import Bar, Table, spread

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
FASTEST = {"json": 16_000, "raw": 60_000}
BARS = {"json": 0.9, "raw": 0.75}
TITLES = {
    "bare": "aiokafka + onnxruntime",
    "streams": "Kafka Streams + ONNX Runtime, defaults",
    "pipeline": "pipeline, at least once",
}
# A JVM compiles for so many seconds until it is as fast as it gets.
WARM_S = {"bare": 1.0, "streams": 6.0, "pipeline": 1.0}


def measure(bench: Bench, runs: int, seconds: float) -> list[Table]:
    """Return a table an encoding: the two in turn, the ratio pair by pair."""
    write_model(bench.folder / "ffnn")
    labels = [word for label in LABELS for word in ("--label", label)]
    bench.run(*headrace("model", "import", "ffnn", str(bench.folder / "ffnn"), "--task", "tensor", *labels))
    _build_peer(bench)
    return [_measure(bench, encoding, runs, seconds) for encoding in FASTEST]


def _measure(bench: Bench, encoding: str, runs: int, seconds: float) -> Table:
    values = records(encoding)
    bench.fill(f"ffnn-{encoding}", values * int(FASTEST[encoding] * (seconds + WARM_S["streams"]) / len(values) + 1))
    seen: dict[str, list[Rate]] = {name: [] for name in WARM_S}
    for run in range(runs):
        for name, rates in seen.items():
            rates.append(_rate(bench, name, encoding, run, seconds))
        said = ", ".join(f"{name} {rates[-1].cpu:.0f}" for name, rates in seen.items())
        print(f"  ffnn {encoding} {run + 1}/{runs}: {said} per CPU s", file=sys.stderr)
    return Table(
        title=f"FFNN with 28k parameters, {encoding}: pipeline against aiokafka and Kafka Streams",
        columns=("on one core", "records/s", "records per CPU second"),
        rows=[
            *(
                (title, spread([r.wall for r in seen[name]], 0), spread([r.cpu for r in seen[name]], 0))
                for name, title in TITLES.items()
            ),
            *(
                (
                    f"pipeline / {name}, pair by pair",
                    spread(_ratios(seen, name, "wall"), 2),
                    spread(_ratios(seen, name, "cpu"), 2),
                )
                for name in ("bare", "streams")
            ),
        ],
        bars=[
            Bar(f"FFNN {encoding} pipeline / Kafka Streams", median(_ratios(seen, "streams", "cpu")), BARS[encoding])
        ],
        notes=["784 float32 a record, batches of up to 500 in Python; ratios of records per CPU second count"],
    )


def _ratios(seen: dict[str, list[Rate]], other: str, what: str) -> list[float]:
    pairs = zip(seen["pipeline"], seen[other], strict=True)
    return [getattr(ours, what) / getattr(theirs, what) for ours, theirs in pairs]


def _rate(bench: Bench, name: str, encoding: str, run: int, seconds: float) -> Rate:
    target = f"{name}-{encoding}-{run}"
    words = [bench.bootstrap, f"ffnn-{encoding}", f"{target}.out", encoding, str(bench.folder / "ffnn")]
    if name == "pipeline":
        file = bench.folder / f"{target}.yaml"
        file.write_text(PIPELINE.format(name=target, topic=f"ffnn-{encoding}", size=SIZE, encoding=encoding))
        command = headrace("run", str(file))
    else:
        bench.make(f"{target}.out")
        command = (
            [sys.executable, "-m", "benchmarks.bare_ffnn"]
            if name == "bare"
            else ["java", "-Xmx1g", "-cp", _class_path(bench)]
        )
        command += words if name == "bare" else ["Peer", *words]
    with bench.child(command, f"{target}.log") as process:
        warm = int(FASTEST[encoding] / 2 * WARM_S[name])
        return bench.rate(process, f"{target}.out", warm=warm, seconds=seconds)


def _class_path(bench: Bench) -> str:
    folder = bench.folder / "streams"
    return f"{folder}:{folder}/libs/*"


def _build_peer(bench: Bench) -> None:
    """Compile the peer in Java, with its libraries from Maven Central."""
    folder, source = bench.folder / "streams", Path(__file__).parent / "streams"
    folder.mkdir(exist_ok=True)
    copy = f"-DoutputDirectory={folder / 'libs'}"
    bench.run("mvn", "-q", "-B", "-f", str(source / "pom.xml"), "dependency:copy-dependencies", copy)
    bench.run("javac", "-nowarn", "-cp", f"{folder}/libs/*", "-d", str(folder), str(source / "Peer.java"))
