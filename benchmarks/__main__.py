"""`python -m benchmarks`: run all of it, print the tables, and keep them in docs/benchmarks.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import ffnn, latency, links, minilm, model_free, restart, shard_outputs, shards, split, startup
from benchmarks.bench import Bench, headrace
from benchmarks.figures import Table
from benchmarks.page import keep

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
NAMES = ("minilm", "plain", "ffnn", "startup", "restart", "latency", "links", "shards", "split")


def main() -> int:
    """Run the chosen benchmarks; end with 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES, help=f"which: {', '.join(NAMES)}")
    parser.add_argument("--runs", type=int, default=3, help="interleaved runs of each (3)")
    parser.add_argument("--seconds", type=float, default=12, help="seconds of each run (12)")
    parser.add_argument("--keep", action="store_true", help="write the tables into docs/benchmarks.md")
    asked = parser.parse_args()
    unknown = set(asked.names) - set(NAMES)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        tables = _measure(Path(folder), asked)
    print("\n".join(table.markdown() for table in tables))
    if asked.keep:
        keep(PAGE, tables, f"{asked.runs} runs")
    return 0 if all(bar.is_met for table in tables for bar in table.bars) else 1


def _measure(folder: Path, asked: argparse.Namespace) -> list[Table]:
    tables = _measure_on_kafka(Bench(folder), asked) if set(asked.names) - {"split"} else []
    if "split" in asked.names:
        tables.append(split.measure(asked.runs))
    return tables


def _measure_on_kafka(bench: Bench, asked: argparse.Namespace) -> list[Table]:
    if set(asked.names) <= {"ffnn", "split"}:  # it needs nothing of the demo
        with bench.broker():
            return ffnn.measure(bench, asked.runs, asked.seconds / 3)
    from headrace.streams.demo.prepare import prepare
    from headrace.streams.home import cache

    prepared = prepare(cache() / "demo", lambda step, done, total: None)
    texts = [review.text for review in prepared.held_out]
    tables = []
    with bench.broker():
        bench.run(*headrace("model", "import", "reviews", str(prepared.model)))
        if "ffnn" in asked.names:
            tables += ffnn.measure(bench, asked.runs, asked.seconds / 3)
        if "minilm" in asked.names:
            tables.append(minilm.measure(bench, str(prepared.model), texts, asked.runs, asked.seconds))
        if "plain" in asked.names:
            tables.append(model_free.measure(bench, texts, asked.runs, asked.seconds / 2, cache()))
        if "startup" in asked.names:
            tables.append(startup.measure(bench, asked.runs))
        if "restart" in asked.names:
            tables.append(restart.measure(bench, asked.runs))
        if "latency" in asked.names:
            tables.append(latency.measure(bench, texts, asked.runs, asked.seconds / 2))
        if "links" in asked.names:
            tables.append(links.measure(bench, texts, asked.runs, asked.seconds / 2))
        if "shards" in asked.names:
            tables += shards.measure(bench, texts, asked.runs, asked.seconds)
            tables.append(shard_outputs.measure(bench, texts))
    return tables


if __name__ == "__main__":
    sys.exit(main())
