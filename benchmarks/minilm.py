"""The MiniLM pipeline against a bare onnxruntime loop and Kafka Streams in Java: same texts, tokenizer, graph and core.

The pipeline writes its full result, the one in Java label and score, the bare loop nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks.bench import MEASURED_CORE, Bench, Rate, headrace, ratios
from benchmarks.figures import Band, Bar, Table, spread
from benchmarks.java import WARM_S, build_peer, library_version, peer
from benchmarks.peers.install import runtime_folder
from benchmarks.reviews import Reviews

__all__ = ["FASTEST", "better", "measure", "pipeline", "table"]

PIPELINE = """\
headrace: 1
pipeline: {name}
input: {{topic: {topic}, text: body, unit: user}}
models: {{expert: {{onnx: {{model: {model}}}}}}}
output: [{{topic: {{name: {name}.out}}}}]
delivery: {{guarantee: {guarantee}, commit_every: 100ms}}
"""
OURS, OURS_ONCE = "pipeline, at least once", "pipeline, exactly once"
STREAMS, ALONE, SORTED = (
    "Kafka Streams + ONNX Runtime, defaults",
    "bare loop, one by one",
    "bare loop, best sorted runs",
)
KNOWN = (111 + 114) / 2 / 99.7
"""Texts of the bare loop to one of Kafka Streams, in CPU time, as measured when the bars were set."""
OFF = 0.05
FASTEST = 600
"""Texts a second: more than any core of today gets through, so that there is a backlog to the end."""


def pipeline(name: str, *, topic: str = "minilm", model: str = "reviews@1", guarantee: str = "at_least_once") -> str:
    """Return the text of a pipeline file with one model that reads a topic's texts."""
    return PIPELINE.format(name=name, topic=topic, model=model, guarantee=guarantee)


def measure(bench: Bench, reviews: Reviews, runs: int, seconds: float) -> Table:
    """Return the table: all in turn, with the same onnxruntime, the ratios run by run."""
    build_peer(bench)
    with bench.preferring(runtime_folder(reviews.cache, library_version("onnxruntime"))):
        return _measure(bench, reviews.model, reviews.texts, runs, seconds)


def _measure(bench: Bench, model: str, texts: list[str], runs: int, seconds: float) -> Table:
    (bench.folder / "texts.json").write_text(json.dumps(texts))
    values = [json.dumps({"body": text, "user": at % 100}).encode() for at, text in enumerate(texts)]
    count = int(FASTEST * (seconds + WARM_S + 2))
    bench.fill("minilm", (values * (count // len(values) + 1))[:count])
    seen: dict[str, list[Rate]] = {name: [] for name in (ALONE, SORTED, STREAMS, OURS, OURS_ONCE)}
    for run in range(runs):
        alone, in_runs = _bare(bench, model, seconds)
        seen[ALONE].append(alone)
        seen[SORTED].append(in_runs)
        seen[STREAMS].append(_streams(bench, model, run, seconds))
        seen[OURS].append(_pipeline(bench, f"minilm-{run}", "at_least_once", seconds))
        seen[OURS_ONCE].append(_pipeline(bench, f"minilm-once-{run}", "exactly_once", seconds))
        said = ", ".join(f"{name} {rates[-1].cpu:.1f}" for name, rates in seen.items())
        print(f"  minilm {run + 1}/{runs}, texts per CPU second: {said}", file=sys.stderr)
    return table(seen)


def table(seen: Mapping[str, Sequence[Rate]]) -> Table:
    """Return the table of what was seen, in texts per CPU second, ratios run by run."""
    bare = better(seen[ALONE], seen[SORTED])
    by_bare = {name: ratios(rates, bare) for name, rates in seen.items()}
    by_streams = {name: ratios(rates, seen[STREAMS]) for name, rates in seen.items()}
    return Table(
        title="MiniLM: pipeline against a bare loop and Kafka Streams",
        columns=("on one core", "texts/s", "texts per CPU second", "this / bare", "this / Kafka Streams"),
        rows=[
            (
                name,
                spread([rate.wall for rate in rates]),
                spread([rate.cpu for rate in rates]),
                spread(by_bare[name], 3),
                spread(by_streams[name], 3),
            )
            for name, rates in seen.items()
        ],
        bars=[
            Band(
                "bare loop / Kafka Streams", median(ratios(bare, seen[STREAMS])), KNOWN * (1 - OFF), KNOWN * (1 + OFF)
            ),
            Bar("MiniLM pipeline / bare loop, at least once", median(by_bare[OURS]), 0.95),
            Bar("MiniLM pipeline / bare loop, exactly once", median(by_bare[OURS_ONCE]), 0.92),
            Bar("MiniLM pipeline / Kafka Streams, at least once", median(by_streams[OURS]), 1.05),
            Bar("MiniLM pipeline exactly once / Kafka Streams", median(by_streams[OURS_ONCE]), 1.0),
        ],
        notes=[
            "int8-stored MiniLM, pooling and head in the graph; ratios of texts per CPU second, run by run; bare is the"
            " better of one by one and sorted runs of 4, 8 or 16 from windows of 64 texts",
            "it commits every 100 ms and writes its full result, Kafka Streams (at least once) label and score",
            f"onnxruntime {library_version('onnxruntime')} in Java and in Python, the newest on Maven Central",
        ],
    )


def better(one: Sequence[Rate], other: Sequence[Rate]) -> list[Rate]:
    """Return, run by run, the one that needs less CPU time."""
    return [max(pair, key=lambda rate: rate.cpu) for pair in zip(one, other, strict=True)]


def _bare(bench: Bench, model: str, seconds: float) -> tuple[Rate, Rate]:
    """Return the rates one by one, and in those runs that need least CPU time."""
    words = ["taskset", "-c", str(MEASURED_CORE), sys.executable, "-m", "benchmarks.bare_minilm"]
    found = json.loads(bench.run(*words, model, str(bench.folder / "texts.json"), str(seconds)))
    alone, *in_runs = (Rate(**rate) for rate in found.values())
    return alone, max(in_runs, key=lambda rate: rate.cpu)


def _streams(bench: Bench, model: str, run: int, seconds: float) -> Rate:
    target = f"minilm-streams-{run}.out"
    bench.make(target)
    with bench.child(peer(bench, "minilm", target, work="minilm", model=model), f"{target}.log") as process:
        return bench.rate(process, target, warm=int(FASTEST / 2 * WARM_S), seconds=seconds)


def _pipeline(bench: Bench, name: str, guarantee: str, seconds: float) -> Rate:
    file, target = bench.folder / f"{name}.yaml", f"{name}.out"
    file.write_text(pipeline(name, guarantee=guarantee))
    bench.make(target)
    with bench.child(headrace("run", str(file)), f"{name}.log") as process:
        return bench.rate(process, target, warm=256, seconds=seconds, by_reading=guarantee == "exactly_once")
