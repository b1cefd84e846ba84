"""How texts share runs of MiniLM: one by one, by fixed eights, and by the costs measured at start; without Kafka."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

from benchmarks.bench import MEASURED_CORE
from benchmarks.figures import Bar, Table, spread

WINDOW = 64
WAYS = ("one by one", "runs of 8", "as they came, runs of 32", "by measured costs")
BAR = 1.0


def measure(folder: Path, model: Path, texts: list[str], runs: int) -> Table:
    """Return the table: all ways in turn over each window of texts, on one core; ratios window by window."""
    file = folder / "batching.json"
    file.write_text(json.dumps(texts))
    words = ["taskset", "-c", str(MEASURED_CORE), sys.executable, "-m", "benchmarks.batching", str(model), str(file)]
    done = [subprocess.run([*words, str(2 * runs)], capture_output=True, text=True, check=True) for _ in range(runs)]
    found = [json.loads(each.stdout) for each in done]
    seconds = {way: [one for each in found for one in each[way]] for way in WAYS}
    *others, ours = (seconds[way] for way in WAYS)
    against = {
        way: [one / own for one, own in zip(other, ours, strict=True)] for way, other in zip(WAYS, others, strict=False)
    }
    # The better of both is that of all windows together: who wins a single one is chance.
    better = min(WAYS[:2], key=lambda way: sum(seconds[way]))
    rows: list[tuple[str, ...]] = [(way, spread([WINDOW / one for one in seconds[way]])) for way in WAYS]
    rows += [(f"measured costs / {way}", spread(ratios, 3)) for way, ratios in against.items()]
    return Table(
        title="How texts share runs of MiniLM",
        columns=("on one core, one thread, without Kafka", "texts per CPU second"),
        rows=rows,
        bars=[Bar(f"measured costs / {better}, the better of both", median(against[better]), BAR)],
        notes=[
            f"windows of {WINDOW} reviews as a pipeline has them, tokenised together; {len(seconds[better])} windows"
        ],
    )


def main(model: str, texts_file: str, windows: int) -> None:
    """Print the CPU seconds of each way for each window."""
    from headrace.plugins.models.onnx_batch import Limits, cheapest, cut, pad
    from headrace.plugins.models.onnx_graph import open_graph
    from headrace.plugins.models.onnx_whole import Whole
    from headrace.plugins.models.tokenizer import open_tokenizer

    folder, limits = Path(model), Limits(8, 4096)
    tokenizer = open_tokenizer(folder, "tokenizer.json", 256)
    graph = open_graph(folder / "model.onnx", threads=1, providers=["cpu"])
    whole = Whole(tokenizer, graph, limits)
    table = whole.measure("A somewhat longer text, so that the short ones have to be padded.", 256, threads=1)
    texts = json.loads(Path(texts_file).read_text())

    def spent(window: list[str], way: str) -> float:
        begun = time.process_time()
        encoded = tokenizer.encode(window)
        lengths = [len(text.ids) for text in encoded]
        ways: dict[str, Callable[[], Iterable[list[int]]]] = {
            "one by one": lambda: cut(lengths, 1, 4096),
            "runs of 8": lambda: cut(lengths, 8, 4096),
            "as they came, runs of 32": lambda: [list(range(at, at + 32)) for at in range(0, len(lengths), 32)],
            "by measured costs": lambda: cheapest(lengths, table.ms, limits, None) if table else cut(lengths, 1, 4096),
        }
        for places in ways[way]():
            graph.run(pad([encoded[at] for at in places], tokenizer.pad_id, graph.dtype))
        return time.process_time() - begun

    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for at in range(windows):
        window = texts[at * WINDOW % (len(texts) - WINDOW) :][:WINDOW]
        for turn in range(len(WAYS)):  # who goes first changes with the window
            way = WAYS[(at + turn) % len(WAYS)]
            found[way].append(spent(window, way))
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
