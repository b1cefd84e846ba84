"""MiniLM in parts: the pipeline over two shards against the whole one, the memory of each part, and what comes out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

import psutil

from benchmarks.bench import MEASURED_CORE, Bench, Rate, headrace
from benchmarks.figures import Bar, Table, spread
from benchmarks.minilm import FASTEST, pipeline

WHOLE, TWO, THREE = "reviews@1", "reviews@2", "reviews@3"
_ROWS, _TOKENS = 8, 256
"""The widest run of the model: `micro_batch.records`, and the model's longest text."""
_MB = 1_000_000

Memory = dict[str, float]
"""Group -> megabytes of its worker."""


def measure(bench: Bench, texts: list[str], runs: int, seconds: float) -> list[Table]:
    """Return the tables: speed and memory; `reviews@1` must be there, and is cut in two parts."""
    bench.run(*headrace("model", "shard", WHOLE, "--parts", "2"))
    values = [json.dumps({"body": text, "user": at % 100}).encode() for at, text in enumerate(texts)]
    count = int(FASTEST * (seconds + 8))
    bench.fill("shards", (values * (count // len(values) + 1))[:count])
    whole: list[Rate] = []
    parts: list[Rate] = []
    memory: list[Memory] = []
    for run in range(runs):
        whole.append(_rate(bench, f"whole-{run}", WHOLE, seconds)[0])
        rate, held = _rate(bench, f"parts-{run}", TWO, seconds)
        parts.append(rate)
        memory.append(held)
        print(
            f"  shards {run + 1}/{runs}: whole {whole[-1].cpu:.1f}, parts {parts[-1].cpu:.1f} per CPU s",
            file=sys.stderr,
        )
    return [_speed(whole, parts), _memory(memory, [_bare(bench, at) for at in (1, 2)])]


def _speed(whole: list[Rate], parts: list[Rate]) -> Table:
    ratios = [one.cpu / other.cpu for one, other in zip(parts, whole, strict=True)]
    by_wall = [one.wall / other.wall for one, other in zip(parts, whole, strict=True)]
    return Table(
        title="MiniLM in two parts: three processes against one",
        columns=("on one core", "texts/s", "texts per CPU second"),
        rows=[
            ("whole, one process", spread([r.wall for r in whole]), spread([r.cpu for r in whole])),
            ("two parts, three processes", spread([r.wall for r in parts]), spread([r.cpu for r in parts])),
            ("parts / whole, pair by pair", spread(by_wall, 3), spread(ratios, 3)),
        ],
        bars=[Bar("texts per CPU second, two parts / whole", median(ratios), 0.85)],
        notes=["CPU time of all processes, the supervisor's too; float32 on the link"],
    )


def _memory(seen: list[Memory], bare: list[Memory]) -> Table:
    workers = [[run[f"expert-{at}"] for run in seen] for at in (1, 2)]
    over = [median(values) - peer["ran"] for values, peer in zip(workers, bare, strict=True)]
    return Table(
        title="Memory of a part",
        columns=("resident MB", "worker", "bare session, opened", "bare session, after a run", "more than that"),
        rows=[
            (f"part {at}", spread(values, 0), f"{peer['opened']:.0f}", f"{peer['ran']:.0f}", f"{more:.0f}")
            for at, values, peer, more in zip((1, 2), workers, bare, over, strict=True)
        ],
        bars=[
            Bar(f"memory of part {at}'s worker over a bare session", more, 150, " MB", at_most=True)
            for at, more in zip((1, 2), over, strict=True)
        ],
        notes=[f"the bare session runs once, {_ROWS} rows of {_TOKENS} tokens; a worker has no wider run"],
    )


def _rate(bench: Bench, name: str, model: str, seconds: float) -> tuple[Rate, Memory]:
    file = bench.folder / f"{name}.yaml"
    file.write_text(pipeline(name, topic="shards", model=model))
    with bench.child(headrace("run", str(file)), f"{name}.log") as process:
        rate = bench.rate(process, f"{name}.out", warm=256, seconds=seconds)
        return rate, {_group(child): child.memory_info().rss / _MB for child in process.children()}


def _group(child: psutil.Process) -> str:
    words = child.cmdline()
    return words[words.index("--group") + 1] if "--group" in words else ""


def _bare(bench: Bench, part: int) -> Memory:
    folder = Path(bench.environ["HEADRACE_HOME"], "registry", *TWO.split("@"))
    shard = json.loads((folder / "manifest.json").read_text())["shards"][part - 1]
    words = ["taskset", "-c", str(MEASURED_CORE), sys.executable, "-m", "benchmarks.bare_part"]
    said = subprocess.run(
        [*words, str(folder / shard["file"]), str(_ROWS), str(_TOKENS)],
        capture_output=True,
        text=True,
        check=True,
        env=bench.environ,
    )
    return {name: size / _MB for name, size in json.loads(said.stdout).items()}
