"""What every benchmark needs: its own Kafka on core 1, topics full of records, and a child on core 0 that is watched.

The broker, the load and this driver share core 1; what is measured has core 0 for itself.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

__all__ = ["MEASURED_CORE", "Bench", "Rate", "headrace", "ratios", "tail"]

MEASURED_CORE, OTHER_CORE = 0, 1


Count = Callable[[], int]
_TAIL_LINES = 25


@dataclass(frozen=True)
class Rate:
    """Records a second of wall time, and records a second of the CPU time of the measured process and its children.

    Beside them the most memory that these had at once, in MB, where somebody looked.
    """

    wall: float
    cpu: float
    peak_mb: float = 0.0


def ratios(ours: Sequence[Rate], theirs: Sequence[Rate]) -> list[float]:
    """Return records per CPU second of ours by those of theirs, run by run."""
    return [one.cpu / other.cpu for one, other in zip(ours, theirs, strict=True)]


def tail(log: str) -> str:
    """Return the last lines of a log, which mostly say why its process ended."""
    return "\n".join(log.rstrip().splitlines()[-_TAIL_LINES:])


def headrace(*words: str) -> list[str]:
    """Return the command line of this Python's Headrace."""
    return [sys.executable, "-m", "headrace", *words]


class Bench:
    """A folder of its own and a Kafka of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {**os.environ, "HEADRACE_HOME": str(folder / "home"), "PYTHONUNBUFFERED": "1"}
        self.environ["PYTHONPATH"] = str(Path(__file__).parents[1])  # children run elsewhere and import from here
        self.environ.pop("HEADRACE_BROKER", None)
        self.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # pip compiles what it installs
        self.bootstrap = ""

    @contextmanager
    def broker(self) -> Iterator[None]:
        """Run Kafka on the other core while the context lasts."""
        os.sched_setaffinity(0, {OTHER_CORE} if (os.cpu_count() or 1) > 1 else {0})
        self.run(*headrace("broker", "start", "--port", "0"))
        try:
            status = self.run(*headrace("broker", "status", "--json"))
            self.bootstrap = json.loads(status)["bootstrap"]
            yield
        finally:
            self.run(*headrace("broker", "stop"))

    @contextmanager
    def preferring(self, folder: str) -> Iterator[None]:
        """Let children import what is in a folder before anything else while the context lasts."""
        usual = self.environ["PYTHONPATH"]
        self.environ["PYTHONPATH"] = os.pathsep.join((folder, usual))
        try:
            yield
        finally:
            self.environ["PYTHONPATH"] = usual

    def run(self, *words: str) -> str:
        """Run a command to its end and return what it printed."""
        try:
            done = subprocess.run(words, env=self.environ, capture_output=True, text=True, check=False, cwd=self.folder)
        except FileNotFoundError as error:
            raise SystemExit(f"{words[0]} is not installed, and a benchmark needs it") from error
        if done.returncode:
            raise SystemExit(f"{' '.join(words)} failed:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def fill(self, topic: str, values: Sequence[bytes], partitions: int = 4, *, keys: int = 100) -> None:
        """Make a topic and publish the values, keyed by so many users."""
        self.make(topic, partitions)
        producer = Producer(
            {"bootstrap.servers": self.bootstrap, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000}
        )
        for at, value in enumerate(values):
            while True:
                try:
                    producer.produce(topic, value, key=b"user%d" % (at % keys))
                    break
                except BufferError:  # a gigabyte waits to be sent
                    producer.poll(0.1)
        producer.flush()

    def make(self, topic: str, partitions: int = 4) -> None:
        """Make a topic."""
        client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})  # kept: the answer dies with it
        client.create_topics([NewTopic(topic, partitions, 1)])[topic].result()

    @contextmanager
    def child(self, words: Sequence[str], log: str) -> Iterator[psutil.Process]:
        """Run a command on the measured core while the context lasts; its output goes to a file.

        Raises:
            SystemExit: what was raised within, with the end of that file.
        """
        pinned = ["taskset", "-c", str(MEASURED_CORE), *words]
        with (self.folder / log).open("w") as file:
            process = subprocess.Popen(pinned, env=self.environ, stdout=file, stderr=file, cwd=self.folder)
            try:
                yield psutil.Process(process.pid)
            except SystemExit as error:
                raise SystemExit(f"{error}\n{' '.join(words)} wrote last:\n{tail(self.log(log))}") from error
            finally:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def rate(self, process: psutil.Process, topic: str, *, warm: int, seconds: float, by_reading: bool = False) -> Rate:
        """Return how fast a topic grows, from the moment it holds `warm` records, for about so many seconds.

        Args:
            process: what is measured, with its children.
            topic: where it writes.
            warm: records that do not count.
            seconds: how long; ends at the first record after it.
            by_reading: whether the records are read to count them; of transactions the ends take offsets too, which
                matters where records are few.
        """
        with _reading(self.bootstrap, topic) if by_reading else _watching(self.bootstrap, topic) as count:
            begun = _moved(count, _moved(count, warm, process) + 1, process)
            first, cpu, peak = time.monotonic(), _cpu_s(process), 0.0
            while time.monotonic() - first < seconds:
                time.sleep(0.05)
                peak = max(peak, _memory_mb(process))
                if by_reading:
                    count()  # a reader that lags would be behind at the end
            ended = _moved(count, count() + 1, process)
            wall, spent = time.monotonic() - first, _cpu_s(process) - cpu
        return Rate((ended - begun) / wall, (ended - begun) / spent, peak)

    def log(self, name: str) -> str:
        """Return what a child wrote."""
        return (self.folder / name).read_text()


def _cpu_s(process: psutil.Process) -> float:
    """Return the CPU seconds of a process and its children, so far."""
    return _summed(process, lambda each: float(sum(each.cpu_times()[:2])))


def _memory_mb(process: psutil.Process) -> float:
    """Return the resident memory of a process and its children."""
    return _summed(process, lambda each: each.memory_info().rss / 1e6)


def _summed(process: psutil.Process, measured: Callable[[psutil.Process], float]) -> float:
    try:
        return sum(measured(each) for each in (process, *process.children(recursive=True)))
    except psutil.Error as error:
        raise SystemExit("the measured process ended") from error


@contextmanager
def _watching(bootstrap: str, topic: str) -> Iterator[Count]:
    """Count the offsets of a topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "watch", "log_level": 0})

    def count() -> int:
        try:
            metadata = consumer.list_topics(topic, timeout=10).topics[topic]
            tps = [TopicPartition(topic, partition) for partition in metadata.partitions]
            return sum(consumer.get_watermark_offsets(tp, timeout=10)[1] for tp in tps)
        except KafkaException:  # the topic is being made
            return 0

    try:
        yield count
    finally:
        consumer.close()


@contextmanager
def _reading(bootstrap: str, topic: str) -> Iterator[Count]:
    """Count the committed records of a topic that is there."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "watch", "log_level": 0})
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    seen = 0

    def count() -> int:
        nonlocal seen
        while read := consumer.consume(1000, 0):  # what has come already: waiting for more would never end
            seen += sum(message.error() is None for message in read)
        return seen

    try:
        yield count
    finally:
        consumer.close()


def _moved(count: Count, least: int, process: psutil.Process, patience_s: float = 180) -> int:
    """Wait until the topic holds so many records; return how many, at the moment it moved.

    Raises:
        SystemExit: the process ended, or nothing came.
    """
    give_up = time.monotonic() + patience_s
    while time.monotonic() < give_up:
        now = count()
        if now >= least:
            return now
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            raise SystemExit("the measured process ended")
        time.sleep(0.005)
    raise SystemExit(f"no {least} records within {patience_s:.0f} s")
