"""What a stage adds to the latency of its model, at 50 records a second, publish to arrival; beside a plain loop."""

from __future__ import annotations

import sys
from statistics import median

from benchmarks.bench import Bench, headrace
from benchmarks.figures import Bar, Table, spread
from benchmarks.links import PARTITIONS, RATE, flow, percentiles

PIPELINE = """\
headrace: 1
pipeline: {name}
input: {{topic: {name}, text: body, unit: user}}
preprocess: [normalise]
models: {{quick: lexicon}}
output: [{{topic: {{name: {name}.out}}}}]
delivery: {{guarantee: {guarantee}, commit_every: 20ms}}
"""
GUARANTEES = {"at_least_once": (5.0, 15.0), "exactly_once": (25.0, 60.0)}
"""Guarantee -> p50 and p99 in milliseconds that a stage may add."""


def measure(bench: Bench, texts: list[str], runs: int, seconds: float) -> Table:
    """Return the table of latencies in milliseconds; pipeline and loop in turn, for each guarantee."""
    seen: dict[tuple[str, str], list[tuple[float, float]]] = {}
    _pipeline(bench, "latency-warm", "at_least_once", texts, 1)  # a broker that has just started is slow
    for run in range(runs):
        for guarantee in GUARANTEES:
            for who, measured in (("loop", _loop), ("pipeline", _pipeline)):
                name = f"latency-{who}-{guarantee}-{run}"
                seen.setdefault((who, guarantee), []).append(measured(bench, name, guarantee, texts, seconds))
        told = ", ".join(f"{who} {guarantee} {rows[-1][0]:.1f}" for (who, guarantee), rows in seen.items())
        print(f"  latency {run + 1}/{runs}: p50 in ms: {told}", file=sys.stderr)
    return Table(
        title="Latency of a stage",
        columns=(f"at {RATE} records/s, publish to arrival", "p50 ms", "p99 ms"),
        rows=[
            (
                f"{'aiokafka loop, no model' if who == 'loop' else 'pipeline'}, {guarantee.replace('_', ' ')}",
                spread([p50 for p50, _ in rows]),
                spread([p99 for _, p99 in rows]),
            )
            for (who, guarantee), rows in seen.items()
        ],
        bars=[
            Bar(
                f"{guarantee.replace('_', ' ')}, {name}",
                median(row[at] for row in rows),
                asked[at],
                " ms",
                at_most=True,
            )
            for guarantee, asked in GUARANTEES.items()
            for at, name in enumerate(("p50", "p99"))
            for rows in (seen["pipeline", guarantee],)
        ],
        notes=[
            f"lexicon, 0.1 ms a record: all of it counts as added; {PARTITIONS} partitions, commits every 20 ms; "
            "readers read committed",
        ],
    )


def _pipeline(bench: Bench, name: str, guarantee: str, texts: list[str], seconds: float) -> tuple[float, float]:
    file = bench.folder / f"{name}.yaml"
    file.write_text(PIPELINE.format(name=name, guarantee=guarantee))
    _make(bench, name)
    with bench.child(headrace("run", str(file)), f"{name}.log"):
        return percentiles(flow(bench.bootstrap, name, texts, seconds))


def _loop(bench: Bench, name: str, guarantee: str, texts: list[str], seconds: float) -> tuple[float, float]:
    bench.environ.update(
        SOURCE=name, TARGET=f"{name}.out", BOOTSTRAP=bench.bootstrap, GUARANTEE=guarantee, COMMIT_S="0.02"
    )
    _make(bench, name)
    with bench.child([sys.executable, "-m", "benchmarks.peers.aiokafka_loop"], f"{name}.log"):
        return percentiles(flow(bench.bootstrap, name, texts, seconds))


def _make(bench: Bench, name: str) -> None:
    for topic in (name, f"{name}.out"):
        bench.make(topic, PARTITIONS)
