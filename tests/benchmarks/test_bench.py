"""What is measured runs to the end or fails loudly, with what it wrote last."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest
from confluent_kafka import Producer

from benchmarks.bench import Bench, Rate, ratios
from headrace.streams.broker import Running
from tests.support.client import Client

ENDS = "print('started'); raise SystemExit('no such model')"
WORKS = "while True: pass"


def test_ratios_are_of_cpu_time_and_run_by_run() -> None:
    assert ratios([Rate(1, 30), Rate(1, 20)], [Rate(9, 10), Rate(9, 40)]) == [3.0, 0.5]


@pytest.mark.broker
def test_a_peer_that_ends_fails_the_benchmark_with_the_end_of_its_log(
    kafka: Running, tmp_path: Path, topic: Callable[..., str]
) -> None:
    bench, name = Bench(tmp_path), topic()
    bench.bootstrap = kafka.bootstrap
    bench.make(name)
    with (
        pytest.raises(SystemExit, match=r"(?s)the measured process ended.*wrote last:.*no such model"),
        bench.child([sys.executable, "-c", ENDS], "peer.log") as process,
    ):
        bench.rate(process, name, warm=1, seconds=1)


@pytest.mark.broker
@pytest.mark.parametrize("by_reading", [False, True])
def test_a_rate_counts_the_records_between_two_moments_and_sees_the_memory(
    kafka: Running, tmp_path: Path, topic: Callable[..., str], *, by_reading: bool
) -> None:
    bench, name = Bench(tmp_path), topic()
    bench.bootstrap = kafka.bootstrap
    bench.make(name)
    stop = Event()
    writer = Thread(target=_write, args=(kafka.bootstrap, name, stop), daemon=True)
    with bench.child([sys.executable, "-c", WORKS], "peer.log") as process:
        writer.start()
        rate = bench.rate(process, name, warm=10, seconds=1, by_reading=by_reading)
    stop.set()
    writer.join()
    times = [seen.timestamp_ms for seen in Client(kafka.bootstrap).all(name)]
    assert rate.wall == pytest.approx(1000 * (len(times) - 1) / (times[-1] - times[0]), rel=0.5)
    assert rate.cpu >= rate.wall * 0.5  # no process has more CPU time than a core gives
    assert 5 < rate.peak_mb < 200


def test_a_program_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no-such-maven is not installed"):
        Bench(tmp_path).run("no-such-maven", "-q")


def _write(bootstrap: str, topic: str, stop: Event) -> None:
    """Write a hundred a second."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    while not stop.wait(0.01):
        producer.produce(topic, b"x")
        producer.flush()
