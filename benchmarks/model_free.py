"""A pipeline without a model against other engines that do the same JSON work: the full result, on one core."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.bench import Bench, Rate, headrace
from benchmarks.figures import Bar, Table, spread
from benchmarks.peers.install import python_with_peers

PIPELINE = """\
headrace: 1
pipeline: {name}
input: {{topic: plain, text: body, unit: user}}
preprocess: [normalise]
output: [{{topic: {{name: {name}.out}}}}]
delivery: {{guarantee: {guarantee}}}
"""
FAUST, LOOP, LOOP_ONCE = "Faust agent", "aiokafka loop", "aiokafka loop, exactly once"
QUIX, QUIX_ONCE, BYTEWAX = "Quix Streams", "Quix Streams, exactly once", "Bytewax"
OURS, OURS_ONCE = "pipeline", "pipeline, exactly once"
ONCE = "exactly_once"

Measure = Callable[[Bench, str, float], Rate]


def measure(bench: Bench, texts: list[str], runs: int, seconds: float, cache: Path) -> Table:
    """Return the table: all in turn, the ratios run by run."""
    values = [json.dumps({"body": text, "user": at % 100}).encode() for at, text in enumerate(texts)]
    count = int(120_000 * (seconds + 3))
    bench.fill("plain", (values * (count // len(values) + 1))[:count])
    engines = _engines(python_with_peers(cache))
    rates: dict[str, list[Rate]] = {name: [] for name in engines}
    for run in range(runs):
        for at, (name, measured) in enumerate(engines.items()):
            rates[name].append(measured(bench, f"plain-{run}-{at}", seconds))
        said = ", ".join(f"{name} {seen[-1].cpu:,.0f}" for name, seen in rates.items())
        print(f"  plain {run + 1}/{runs}, records per CPU second: {said}", file=sys.stderr)
    return Table(
        title="Without a model: pipeline against other engines",
        columns=("on one core", "records/s", "records per CPU second", "pipeline / this"),
        rows=[
            (name, spread([r.wall for r in seen], 0), spread([r.cpu for r in seen], 0), spread(_ratios(rates, name), 2))
            for name, seen in rates.items()
        ],
        bars=[
            Bar("model-free pipeline / Faust agent", median(_ratios(rates, FAUST)), 3.0),
            Bar("model-free pipeline / aiokafka loop", median(_ratios(rates, LOOP)), 0.6),
            Bar("exactly once / at least once", 1 / median(_ratios(rates, OURS_ONCE, OURS)), 0.75),
            Bar("model-free pipeline / Quix Streams", median(_ratios(rates, QUIX)), 1.0),
            Bar("model-free pipeline / Bytewax", median(_ratios(rates, BYTEWAX)), 1.0),
        ],
        notes=[
            "all decode, normalise and build the full result with the same functions, message by message",
            "ratios are of records per CPU second, run by run; of those exactly once to the pipeline exactly once",
            "commits every 100 ms; Bytewax commits nothing, its promise is its snapshots', which are off here",
        ],
    )


def _ratios(rates: Mapping[str, list[Rate]], other: str, ours: str | None = None) -> list[float]:
    mine = ours or (OURS_ONCE if "exactly" in other else OURS)
    return [one.cpu / theirs.cpu for one, theirs in zip(rates[mine], rates[other], strict=True)]


def _engines(with_peers: str) -> dict[str, Measure]:
    here, flow = sys.executable, "benchmarks.peers.bytewax_flow:flow"
    return {
        FAUST: partial(_peer, [here, "-m", "benchmarks.peers.faust_agent", "worker", "-l", "warn"], ""),
        LOOP: partial(_peer, [here, "-m", "benchmarks.peers.aiokafka_loop"], "at_least_once"),
        QUIX: partial(_peer, [with_peers, "-m", "benchmarks.peers.quix_app"], "at_least_once"),
        BYTEWAX: partial(_peer, [with_peers, "-m", "bytewax.run", flow], "at_least_once"),
        OURS: partial(_pipeline, "at_least_once"),
        LOOP_ONCE: partial(_peer, [here, "-m", "benchmarks.peers.aiokafka_loop"], ONCE),
        QUIX_ONCE: partial(_peer, [with_peers, "-m", "benchmarks.peers.quix_app"], ONCE),
        OURS_ONCE: partial(_pipeline, ONCE),
    }


def _peer(words: list[str], guarantee: str, bench: Bench, name: str, seconds: float) -> Rate:
    target = f"{name}.out"
    bench.make(target)
    bench.environ.update(SOURCE="plain", TARGET=target, BOOTSTRAP=bench.bootstrap, GUARANTEE=guarantee, COMMIT_S="0.1")
    with bench.child(words, f"{name}.log") as process:
        return bench.rate(process, target, warm=4000, seconds=seconds, by_reading=guarantee == ONCE)


def _pipeline(guarantee: str, bench: Bench, name: str, seconds: float) -> Rate:
    file = bench.folder / f"{name}.yaml"
    file.write_text(PIPELINE.format(name=name, guarantee=guarantee))
    bench.make(f"{name}.out")
    with bench.child(headrace("run", str(file)), f"{name}.log") as process:
        return bench.rate(process, f"{name}.out", warm=4000, seconds=seconds, by_reading=guarantee == ONCE)
