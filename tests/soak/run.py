"""One long run: what can it take, half of that for as long as asked, and the broker away in the middle."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.chaos.crew import Crew
from tests.chaos.load import PARTITIONS, records
from tests.chaos.stand import LAYOUTS, register_model, stormy_pipeline, topics
from tests.conftest import stopped_at_last
from tests.soak.judge import Look, percentile
from tests.soak.load import Load
from tests.soak.reader import Reader
from tests.soak.sample import Sample, sample
from tests.support.node import Node
from tests.support.pipeline import Pipeline

__all__ = ["Found", "Settings", "run"]

GROUPS = 3
PACE_MS = 0.01  # of the steps that take time: none to speak of
FLOOD_S = 30.0
"""How long capacity is measured; as long before, everything warms up."""
DRAIN_S = 120.0
_KEPT = {
    "log.segment.bytes": str(16 << 20),
    "log.retention.bytes": str(64 << 20),
    "log.retention.check.interval.ms": "10000",
}
"""The broker keeps little of a topic: an hour would fill a disk. Both readers are seconds behind."""


class Settings(NamedTuple):
    """What a run is told.

    Attributes:
        minutes: of load, without what goes before.
        outage_minutes: how long the broker is away in the middle.
        guarantee: `at_least_once` or `exactly_once`.
        per_s: records a second; 0 for half of what it can take.
        every_s: seconds between two looks.
    """

    minutes: float
    outage_minutes: float
    guarantee: str
    per_s: float
    every_s: float = 10.0

    @property
    def length_s(self) -> float:
        """How long the load lasts."""
        return self.minutes * 60


class Found(NamedTuple):
    """What a run showed.

    Attributes:
        looks: what was seen, one after the other.
        capacity_per_s: records a second that it took at most; 0 if that was not measured.
        per_s: records a second that it was given.
        published: how many in all.
        lost, doubled: results.
        deaths: workers that ended by themselves.
        log_lines: the most that one worker wrote.
    """

    looks: Sequence[Look]
    capacity_per_s: float
    per_s: float
    published: int
    lost: int
    doubled: int
    deaths: Sequence[str]
    log_lines: int


def run(folder: Path, settings: Settings, say: Callable[[str], None]) -> Found:
    """Run it.

    Args:
        folder: an empty one, for everything that it needs.
        settings: what is run.
        say: told what happens, a line each.
    """
    layout = LAYOUTS[GROUPS]
    with stopped_at_last(folder / "broker"):
        broker = Node(folder / "broker", _KEPT).start()
        pipeline = stormy_pipeline(
            folder,
            "soak",
            broker.bootstrap,
            broker.bootstrap,
            register_model(folder),
            layout=layout,
            pace_ms=PACE_MS,
            guarantee=settings.guarantee,
            order="path",
        )
        pipeline.client.make_topic(pipeline.input, PARTITIONS)
        crew = Crew(pipeline, layout.stages, folder)
        try:
            crew.start_all()
            return _loaded(pipeline, crew, broker, settings, say)
        except Exception:
            for number, worker in enumerate(pipeline.workers, 1):
                say("\n".join((f"--- worker {number}:", *worker.lines[-8:])))
            raise
        finally:
            pipeline.close()


def _loaded(pipeline: Pipeline, crew: Crew, broker: Node, settings: Settings, say: Callable[[str], None]) -> Found:
    load = Load(broker.bootstrap, pipeline.input, records(0))
    reader = Reader(pipeline.client, topics(pipeline)["out"])
    try:
        capacity = 0.0 if settings.per_s else _capacity(load, reader)
        per_s = settings.per_s or capacity / 2
        say(f"it takes {capacity:,.0f} records/s; gets {per_s:,.0f}" if capacity else f"it gets {per_s:,.0f} records/s")
        load.hold()
        _drained(load, reader)
        load.flow(per_s)
        looks = _watched(crew, Outage(broker, load, per_s, settings), reader, settings, say)
        load.hold()
        _drained(load, reader)
    finally:
        ends = load.close()
        reader.close()
    say(f"exit codes of the workers: {crew.end()}")
    return Found(
        looks,
        capacity,
        per_s,
        published=sum(ends),
        lost=reader.tally.lost(ends),
        doubled=reader.tally.doubled,
        deaths=crew.deaths,
        log_lines=max(len(worker.lines) for worker in pipeline.workers),
    )


def _capacity(load: Load, reader: Reader) -> float:
    """Return how many records a second come through when there always are more."""
    load.flood(lambda: reader.tally.count)
    began = time.monotonic()
    _until(began + FLOOD_S)
    before, since = reader.tally.count, time.monotonic()
    _until(since + FLOOD_S)
    return (reader.tally.count - before) / (time.monotonic() - since)


def _drained(load: Load, reader: Reader) -> None:
    """Wait until what was published has come; what does not come is counted later."""
    began, before = time.monotonic(), reader.tally.count
    while reader.tally.count < load.acknowledged.total() and time.monotonic() - began < DRAIN_S:
        time.sleep(0.1)
        if reader.tally.count != before:
            began, before = time.monotonic(), reader.tally.count


def _watched(crew: Crew, outage: Outage, reader: Reader, settings: Settings, say: Callable[[str], None]) -> list[Look]:
    """Look every few seconds for as long as the load lasts."""
    looks, began = list[Look](), time.monotonic()
    reader.latencies_ms()
    while (at_s := time.monotonic() - began) < settings.length_s:
        outage.tend(at_s, say)
        looks.append(Look(at_s, _samples(crew), reader.latencies_ms()))
        say(_said(looks[-1]))
        crew.tend()
        _until(began + len(looks) * settings.every_s)
    return looks


class Outage:
    """The time in the middle in which the broker is away, and nobody can publish."""

    def __init__(self, broker: Node, load: Load, per_s: float, settings: Settings) -> None:
        self._broker, self._load, self._per_s = broker, load, per_s
        self._from_s = settings.length_s / 2
        self._to_s = self._from_s + settings.outage_minutes * 60
        self._is_away = False

    def tend(self, at_s: float, say: Callable[[str], None]) -> None:
        """Kill the broker or start it when it is time to, so many seconds after the load began."""
        wanted = self._from_s <= at_s < self._to_s
        if wanted and not self._is_away:
            self._load.hold()
            self._broker.kill()
            say("the broker is killed")
        elif self._is_away and not wanted:
            self._broker.start()
            self._load.flow(self._per_s)
            say("the broker is back")
        self._is_away = wanted


def _samples(crew: Crew) -> Mapping[str, Sample]:
    """Return what each worker holds; one that has ended is left out."""
    found = {}
    for group in LAYOUTS[GROUPS].stages:
        with suppress(OSError):
            found[group] = sample(crew.worker(group).process.pid)
    return found


def _said(look: Look) -> str:
    held = "; ".join(
        f"{group} {one.rss_mb:.0f}/{one.pss_mb:.0f} MB {one.handles} files {one.threads} threads"
        for group, one in look.workers.items()
    )
    count = len(look.latencies_ms)
    p50, p99 = (f"{percentile(look.latencies_ms, share):.0f}" for share in (50, 99))
    return f"{look.at_s:6.0f} s of load: {held}; {count} results, p50 {p50} ms, p99 {p99} ms"


def _until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
