"""How long a person waits: help, check, the broker, and the first result after `run`."""

from __future__ import annotations

import json
import os
import subprocess
import time
from statistics import median

import psutil
from confluent_kafka import Consumer

from benchmarks.bench import Bench, headrace
from benchmarks.figures import Bar, Table, spread
from benchmarks.minilm import pipeline


def measure(bench: Bench, runs: int) -> Table:
    """Return the table of waits; the broker of the bench must be up."""
    file = bench.folder / "hundred.yaml"
    file.write_text(hundred_lines())
    helped = [_seconds(bench, *headrace("--help")) for _ in range(max(5, runs))]
    checked = [_seconds(bench, *headrace("check", str(file))) for _ in range(max(5, runs))]
    first = [_first_result(bench, run) for run in range(runs)]
    ready = [_broker(bench) for _ in range(runs)]
    waits = {
        "headrace --help": (helped, 0.150),
        "headrace check, 100 lines": (checked, 0.400),
        "embedded broker, start to ready": (ready, 8.0),
        "run to first result, MiniLM": (first, 10.0),
    }
    return Table(
        title="Waiting times",
        columns=("what", "seconds"),
        rows=[(name, spread(values, 3)) for name, (values, _) in waits.items()],
        bars=[Bar(name, median(values), asked, " s", at_most=True) for name, (values, asked) in waits.items()],
        notes=["whole processes, from start to end; first result: from `run` to the first message a client reads"],
    )


def _seconds(bench: Bench, *words: str) -> float:
    begun = time.monotonic()
    bench.run(*words)
    return time.monotonic() - begun


def _broker(bench: Bench) -> float:
    """Start another broker in a home of its own, beside the one of the bench."""
    home = bench.folder / f"broker-{time.monotonic_ns()}"
    environ = {**bench.environ, "HEADRACE_HOME": str(home)}
    begun = time.monotonic()
    subprocess.run(headrace("broker", "start", "--port", "0"), env=environ, check=True, capture_output=True)
    took = time.monotonic() - begun
    subprocess.run(headrace("broker", "stop"), env=environ, check=True, capture_output=True)
    return took


def _first_result(bench: Bench, run: int) -> float:
    """Publish first, then run, then wait for what comes out; all cores are free to it, as on a user's machine."""
    name = f"first-{run}"
    file = bench.folder / f"{name}.yaml"
    file.write_text(pipeline(name, topic=name))
    bench.fill(name, [json.dumps({"body": "a good film", "user": 1}).encode()] * 10)
    consumer = Consumer(
        {
            "bootstrap.servers": bench.bootstrap,
            "group.id": name,
            "auto.offset.reset": "earliest",
            "topic.metadata.refresh.interval.ms": 200,
            "log_level": 0,
        }
    )
    consumer.subscribe([f"{name}.out"])
    begun = time.monotonic()
    process = subprocess.Popen(headrace("run", str(file)), env=bench.environ, stderr=subprocess.DEVNULL)
    psutil.Process(process.pid).cpu_affinity(list(range(os.cpu_count() or 1)))  # it would share the driver's
    try:
        while True:
            message = consumer.poll(0.1)
            if message is not None and not message.error():
                return time.monotonic() - begun
            if time.monotonic() - begun > 60:
                raise SystemExit("no result within a minute")
    finally:
        process.terminate()
        process.wait()
        consumer.close()


def hundred_lines() -> str:
    """Return a pipeline file of a hundred lines."""
    outputs = "".join(
        f"""\
  - topic:
      name: hundred.out-{at}
      when: "output.label == 'positive' && output.score > 0.{at + 10}"
"""
        for at in range(25)
    )
    head = """\
# A pipeline file of a hundred lines: comments, options, and twenty-five outputs with an expression each.
# Nothing is wrong with it, so that all of it is looked at.
headrace: 1
pipeline: hundred

input:
  topic: hundred
  text: review.body
  unit: review.user
  start: earliest
  max_bytes: 64KiB

preprocess:
  - normalise: {html: true}
models:
  quick: lexicon
  second: lexicon
route:
  cascade:
    order: [quick, second]
    accept: 0.9
postprocess:
  - labels: {threshold: 0.6, otherwise: unsure}
delivery: {retries: 3, commit_every: 100ms}
output:
"""
    return head + outputs
