"""`python -m benchmarks`: run all of it, print the tables, and keep them in docs/benchmarks.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks import (
    batching,
    ffnn,
    growth,
    latency,
    layers,
    links,
    minilm,
    model_free,
    profile,
    restart,
    shard_outputs,
    shards,
    split,
    startup,
)
from benchmarks.bench import Bench
from benchmarks.figures import Table
from benchmarks.page import keep
from benchmarks.reviews import Reviews

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def main() -> int:
    """Run the chosen benchmarks; end with 1 when a bar is missed, a run is void or something does not run."""
    asked = _asked()
    tables = []
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        for table in _measured(Path(folder), asked):
            tables.append(table)
            print(table.markdown(), flush=True)
            if asked.keep:  # at once: what comes later may fail
                keep(PAGE, [table], f"{asked.runs} runs")
    return 0 if all(bar.is_met for table in tables for bar in table.bars) else 1


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", default=DEFAULT, help=f"which: {', '.join(MEASURES)} (all but profile)")
    parser.add_argument("--runs", type=int, default=5, help="interleaved runs of each (5)")
    parser.add_argument(
        "--seconds", type=float, default=8, help="seconds of each run; short ones take a part of it (8)"
    )
    parser.add_argument("--keep", action="store_true", help="write the tables measured into docs/benchmarks.md")
    asked = parser.parse_args()
    unknown = set(asked.names) - set(MEASURES)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(MEASURES)}")
    if "profile" in asked.names and len(set(asked.names)) > 1:
        parser.error("profile reads topics of other benchmarks' names, filled otherwise: let it run by itself")
    return asked


Measure = Callable[[Bench, Reviews, argparse.Namespace], list[Table]]


def _shards(bench: Bench, reviews: Reviews, asked: argparse.Namespace) -> list[Table]:
    tables = shards.measure(bench, reviews.texts, asked.runs, asked.seconds)
    return [*tables, shard_outputs.measure(bench, reviews.texts)]


MEASURES: Mapping[str, Measure] = {
    "minilm": lambda bench, reviews, asked: [minilm.measure(bench, reviews, asked.runs, asked.seconds)],
    "batching": lambda bench, reviews, asked: [
        batching.measure(bench.folder, Path(reviews.model), reviews.texts, asked.runs),
        layers.measure(Path(reviews.model), asked.runs),
    ],
    "plain": lambda bench, reviews, asked: [
        model_free.measure(bench, reviews.texts, asked.runs, asked.seconds / 2, reviews.cache)
    ],
    "ffnn": lambda bench, reviews, asked: ffnn.measure(bench, asked.runs, asked.seconds / 2, reviews.cache),
    "startup": lambda bench, reviews, asked: [startup.measure(bench, asked.runs)],
    "restart": lambda bench, reviews, asked: [restart.measure(bench, asked.runs)],
    "latency": lambda bench, reviews, asked: [latency.measure(bench, reviews.texts, asked.runs, asked.seconds)],
    "links": lambda bench, reviews, asked: [links.measure(bench, reviews.texts, asked.runs, asked.seconds / 2)],
    "shards": _shards,
    "growth": lambda bench, reviews, asked: growth.measure(bench, asked.runs, asked.seconds / 4),
    "split": lambda bench, reviews, asked: [split.measure(asked.runs)],
    "profile": lambda bench, reviews, asked: [profile.measure(bench, reviews.texts, asked.seconds)],
}
NO_BROKER, NO_REVIEWS = {"split", "batching"}, {"split", "ffnn", "growth"}
DEFAULT = tuple(name for name in MEASURES if name != "profile")


def _measured(folder: Path, asked: argparse.Namespace) -> Iterator[Table]:
    bench, names = Bench(folder), list(dict.fromkeys(asked.names))
    with_broker = [name for name in names if name not in NO_BROKER]
    if with_broker:
        reviews = Reviews()
        with bench.broker():
            if set(with_broker) - NO_REVIEWS:
                reviews.register(bench)
            for name in with_broker:
                yield from MEASURES[name](bench, reviews, asked)
    for name in names:
        if name in NO_BROKER:
            yield from MEASURES[name](bench, Reviews(), asked)


if __name__ == "__main__":
    sys.exit(main())
