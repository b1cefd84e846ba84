"""The MiniLM pipeline against a bare onnxruntime loop: same texts, same core, same batch policy."""

from __future__ import annotations

import json
import subprocess
import sys
from statistics import median

from benchmarks.bench import MEASURED_CORE, Bench, Rate, headrace
from benchmarks.figures import Bar, Table, spread

PIPELINE = """\
headrace: 1
pipeline: {name}
input: {{topic: {topic}, text: body, unit: user}}
models: {{expert: {{onnx: {{model: reviews@1}}}}}}
output: [{{topic: {{name: {name}.out}}}}]
"""


def measure(bench: Bench, model: str, texts: list[str], runs: int, seconds: float) -> Table:
    """Return the table: the two in turn, the ratio pair by pair."""
    (bench.folder / "texts.json").write_text(json.dumps(texts))
    values = [json.dumps({"body": text, "user": at % 100}).encode() for at, text in enumerate(texts)]
    count = int(200 * (seconds + 8))  # more than any machine of today gets through in the time
    bench.fill("minilm", (values * (count // len(values) + 1))[:count])
    ours, bare = [], []
    for run in range(runs):
        bare.append(_bare(bench, model, seconds))
        ours.append(_pipeline(bench, run, seconds))
        print(f"  minilm {run + 1}/{runs}: bare {bare[-1].wall:.1f}/s, pipeline {ours[-1].wall:.1f}/s", file=sys.stderr)
    ratios = [one.wall / other.wall for one, other in zip(ours, bare, strict=True)]
    return Table(
        title="MiniLM: pipeline against a bare onnxruntime loop",
        columns=("on one core", "texts/s", "texts per CPU second"),
        rows=[
            ("bare loop: tokenizer + onnxruntime", spread([r.wall for r in bare]), spread([r.cpu for r in bare])),
            ("pipeline, at least once, full result", spread([r.wall for r in ours]), spread([r.cpu for r in ours])),
            ("pipeline / bare, pair by pair", spread(ratios, 3), ""),
        ],
        bars=[Bar("MiniLM pipeline / bare loop", median(ratios), 0.85)],
        notes=["int8-stored MiniLM with a classification head; windows of 64 texts, sorted by length, runs of 8"],
    )


def _bare(bench: Bench, model: str, seconds: float) -> Rate:
    words = ["taskset", "-c", str(MEASURED_CORE), sys.executable, "-m", "benchmarks.bare_minilm"]
    done = subprocess.run(
        [*words, model, str(bench.folder / "texts.json"), str(seconds)], capture_output=True, text=True, check=True
    )
    return Rate(**json.loads(done.stdout))


def _pipeline(bench: Bench, run: int, seconds: float) -> Rate:
    name = f"minilm-{run}"
    file = bench.folder / f"{name}.yaml"
    file.write_text(PIPELINE.format(name=name, topic="minilm"))
    with bench.child(headrace("run", str(file)), f"{name}.log") as process:
        return bench.rate(process, f"{name}.out", warm=256, seconds=seconds)
