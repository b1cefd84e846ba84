"""What a link costs: the same pipeline in one process, and apart, at 50 records a second; publish to arrival."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from statistics import median, quantiles

from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.bench import Bench, headrace
from benchmarks.figures import Bar, Table, spread

PIPELINE = """\
headrace: 1
pipeline: {name}
input: {{topic: {name}, text: body, unit: user}}
preprocess: [normalise]
models: {{quick: lexicon}}
output: [{{topic: {{name: {name}.out}}}}]
"""
WAYS = {
    "fused": ("one process", "", 0),
    "apart": ("ingress apart", "groups: {front: {stages: [ingress]}}\n", 1),
    "strewn": ("ingress, model, egress apart", "groups: {front: {stages: [ingress]}, back: {stages: [egress]}}\n", 2),
}
"""Name -> what is where, what the file says of it, and how many links a record crosses."""

RATE = 50
"""Records a second."""
WARM_S, PATIENCE_S, PARTITIONS = 2.0, 60.0, 4


def measure(bench: Bench, texts: list[str], runs: int, seconds: float) -> Table:
    """Return the table of latencies in milliseconds; what is measured shares core 0, however many processes it has."""
    seen: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    _latency(bench, "links-warm", "", texts, 1)  # a broker that has just started is slow
    for run in range(runs):
        for way, (_, groups, _) in WAYS.items():
            seen[way].append(_latency(bench, f"links-{way}-{run}", groups, texts, seconds))
        told = ", ".join(f"{way} {seen[way][-1][0]:.1f}" for way in WAYS)
        print(f"  links {run + 1}/{runs}: p50 in ms: {told}", file=sys.stderr)
    added = {
        way: [(one[0] - fused[0]) / links for one, fused in zip(seen[way], seen["fused"], strict=True)]
        for way, (_, _, links) in WAYS.items()
        if links
    }
    return Table(
        title="What a link costs",
        columns=(
            f"at {RATE} records/s, publish to arrival",
            "links",
            "p50 ms",
            "p99 ms",
            "p50 added a link, run by run",
        ),
        rows=[
            (
                what,
                str(links),
                spread([p50 for p50, _ in seen[way]]),
                spread([p99 for _, p99 in seen[way]]),
                spread(added[way]) if links else "",
            )
            for way, (what, _, links) in WAYS.items()
        ],
        bars=[Bar("latency added by a link, p50", median(added["apart"]), 8.0, " ms", at_most=True)],
        notes=[f"normalise and lexicon, {PARTITIONS} partitions, `batch.max_wait` as it is by default (5 ms)"],
    )


def _latency(bench: Bench, name: str, groups: str, texts: list[str], seconds: float) -> tuple[float, float]:
    """Return p50 and p99 in milliseconds of one run."""
    file = bench.folder / f"{name}.yaml"
    file.write_text(PIPELINE.format(name=name) + groups)
    for topic in (name, f"{name}.out"):
        bench.make(topic, PARTITIONS)
    with bench.child(headrace("run", str(file)), f"{name}.log"):
        took = flow(bench.bootstrap, name, texts, seconds)
    return percentiles(took)


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """Return p50 and p99 in milliseconds."""
    cuts = quantiles(seconds, n=100)
    return cuts[49] * 1000, cuts[98] * 1000


def flow(bootstrap: str, name: str, texts: list[str], seconds: float) -> list[float]:
    """Publish steadily, one record at a time, and return the seconds each took to arrive; the first ones are left out.

    The steady flow begins when the first record has come through, so that no start is measured.
    """
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"{name}.watch", "log_level": 0})
    consumer.assign([TopicPartition(f"{name}.out", partition, 0) for partition in range(PARTITIONS)])
    sent: dict[bytes, float] = {}
    took: dict[bytes, float] = {}

    def publish(key: bytes) -> None:
        value = json.dumps({"body": texts[len(sent) % len(texts)], "user": len(sent) % 100}).encode()
        sent[key] = time.perf_counter()
        producer.produce(name, value, key=key)
        producer.poll(0)

    def watch(until: float) -> None:
        while (left := until - time.perf_counter()) > 0:
            message = consumer.poll(left)
            if message is not None and not message.error():
                took[message.key()] = time.perf_counter() - sent[message.key()]

    try:
        publish(b"first")
        _await(sent, took, watch)
        begun = time.perf_counter()
        for at in range(int((WARM_S + seconds) * RATE)):
            publish(b"%d" % at)
            watch(begun + (at + 1) / RATE)
        _await(sent, took, watch)
    finally:
        producer.flush(5)
        consumer.close()
    return [took[b"%d" % at] for at in range(int(WARM_S * RATE), len(sent) - 1)]


def _await(sent: Mapping[bytes, float], took: Mapping[bytes, float], watch: Callable[[float], None]) -> None:
    give_up = time.perf_counter() + PATIENCE_S
    while late := sent.keys() - took.keys():
        if time.perf_counter() > give_up:
            some = b", ".join(sorted(late)[:5]).decode()
            raise SystemExit(f"{len(late)} of {len(sent)} records did not come through: {some}; look at the log")
        watch(time.perf_counter() + 0.05)
