"""A pipeline without a model against a plain Faust agent: JSON in, normalised, the full result out."""

from __future__ import annotations

import json
import sys
from statistics import median

from benchmarks.bench import Bench, Rate, headrace
from benchmarks.figures import Bar, Table, spread

PIPELINE = """\
headrace: 1
pipeline: {name}
input: {{topic: plain, text: body, unit: user}}
preprocess: [normalise]
output: [{{topic: {{name: {name}.out}}}}]
batch: {{max_records: {batch}}}
"""


def measure(bench: Bench, texts: list[str], runs: int, seconds: float) -> Table:
    """Return the table: the two in turn, the ratio pair by pair."""
    values = [json.dumps({"body": text, "user": at % 100}).encode() for at, text in enumerate(texts)]
    count = int(30_000 * (seconds + 2))
    bench.fill("plain", (values * (count // len(values) + 1))[:count])
    ours, theirs = [], []
    for run in range(runs):
        theirs.append(_faust(bench, run, seconds))
        ours.append(_pipeline(bench, run, seconds))
        print(
            f"  plain {run + 1}/{runs}: Faust {theirs[-1].cpu:.0f}, pipeline {ours[-1].cpu:.0f} per CPU s",
            file=sys.stderr,
        )
    ratios = [one.wall / other.wall for one, other in zip(ours, theirs, strict=True)]
    by_cpu = [one.cpu / other.cpu for one, other in zip(ours, theirs, strict=True)]
    return Table(
        title="Without a model: pipeline against a plain Faust agent",
        columns=("on one core", "records/s", "records per CPU second"),
        rows=[
            ("Faust agent, events()", spread([r.wall for r in theirs], 0), spread([r.cpu for r in theirs], 0)),
            ("pipeline, at least once", spread([r.wall for r in ours], 0), spread([r.cpu for r in ours], 0)),
            ("pipeline / Faust, pair by pair", spread(ratios, 2), spread(by_cpu, 2)),
        ],
        bars=[Bar("model-free pipeline / Faust agent", median(ratios), 3.0)],
        notes=["both decode, normalise and build the full result with the same functions; batches of 64"],
    )


def _faust(bench: Bench, run: int, seconds: float) -> Rate:
    target = f"faust-{run}.out"
    bench.make(target)
    bench.environ.update(SOURCE="plain", TARGET=target, BOOTSTRAP=bench.bootstrap)
    with bench.child(
        [sys.executable, "-m", "benchmarks.faust_agent", "worker", "-l", "warn"], f"faust-{run}.log"
    ) as process:
        return bench.rate(process, target, warm=2000, seconds=seconds)


def _pipeline(bench: Bench, run: int, seconds: float) -> Rate:
    name = f"plain-{run}"
    file = bench.folder / f"{name}.yaml"
    file.write_text(PIPELINE.format(name=name, batch=64))
    with bench.child(headrace("run", str(file)), f"{name}.log") as process:
        return bench.rate(process, f"{name}.out", warm=2000, seconds=seconds)
