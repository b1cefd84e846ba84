"""The latency of a stage at 50 records a second, publish to arrival; a plain aiokafka loop beside it, in turn."""

from __future__ import annotations

import sys
from statistics import median

from benchmarks.bench import Bench, headrace
from benchmarks.figures import Bar, Table, spread
from benchmarks.links import PARTITIONS, RATE, flow, percentiles
from benchmarks.links import PIPELINE as FUSED

PIPELINE = f"{FUSED}delivery: {{{{guarantee: {{guarantee}}, commit_every: 20ms}}}}\n"
GUARANTEES = {"at_least_once": (5.0, 15.0), "exactly_once": (25.0, 60.0)}
"""Guarantee -> p50 and p99 in milliseconds that a stage may add."""


def measure(bench: Bench, texts: list[str], runs: int, seconds: float) -> Table:
    """Return the table of latencies in milliseconds; pipeline and loop in turn, for each guarantee."""
    seen: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for guarantee in GUARANTEES:  # a broker that has just started is slow, and makes its topic for transactions first
        _pipeline(bench, name_of("warm", guarantee), guarantee, texts, 1)
    for run in range(runs):
        for guarantee in GUARANTEES:
            for who, measured in (("loop", _loop), ("pipeline", _pipeline)):
                name = name_of(f"{who}-{run}", guarantee)
                seen.setdefault((who, guarantee), []).append(measured(bench, name, guarantee, texts, seconds))
        told = ", ".join(f"{who} {guarantee} {rows[-1][0]:.1f}" for (who, guarantee), rows in seen.items())
        print(f"  latency {run + 1}/{runs}: p50 in ms: {told}", file=sys.stderr)
    return Table(
        title="Latency of a stage",
        columns=(f"at {RATE} records/s, publish to arrival", "p50 ms", "p99 ms", "p50 over the loop's, run by run"),
        rows=[
            (
                f"{'aiokafka loop, no model' if who == 'loop' else 'pipeline'}, {guarantee.replace('_', ' ')}",
                spread([p50 for p50, _ in rows]),
                spread([p99 for _, p99 in rows]),
                spread([one[0] - bare[0] for one, bare in zip(rows, seen["loop", guarantee], strict=True)])
                if who == "pipeline"
                else "",
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
            "from the moment a record is handed to the publisher until the reader has its result, two passages through "
            f"the broker included; lexicon, 0.1 ms a record, which is not taken off; {PARTITIONS} partitions, commits "
            "every 20 ms, the reader reads committed",
            "the loop does the same JSON work and headers without the model; the pipeline has its defaults otherwise",
        ],
    )


def name_of(what: str, guarantee: str) -> str:
    """Return the name of a run, as a pipeline may be named."""
    return f"latency-{what}-{guarantee.replace('_', '-')}"


def pipeline(name: str, guarantee: str) -> str:
    """Return the text of a pipeline file."""
    return PIPELINE.format(name=name, guarantee=guarantee)


def _pipeline(bench: Bench, name: str, guarantee: str, texts: list[str], seconds: float) -> tuple[float, float]:
    file = bench.folder / f"{name}.yaml"
    file.write_text(pipeline(name, guarantee))
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
