"""What a worker counts: records by end, time by model, batches, lag. Prometheus reads it at /metrics."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from headrace.streams.histogram import BatchHistogram
from headrace.streams.slot import Slot

__all__ = ["Meter"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Meter:
    """The figures of one worker. Counts go up a batch at a time, so that metering costs nothing a record."""

    def __init__(self, pipeline: str) -> None:
        self.registry = at = CollectorRegistry()
        counter, gauge, one = partial(Counter, registry=at), partial(Gauge, registry=at), ["pipeline"]
        stage = [*one, "stage"]
        self._records = counter("headrace_records", "Records by how they ended", [*one, "status"])
        self._dead = counter("headrace_dead_letters", "Dead letters by code", [*one, "code"])
        self._served = counter("headrace_model_records", "Records that went through a model", [*one, "model"])
        name, words = "headrace_model_batch_seconds", "Time of a batch in a model"
        self._model_seconds = Histogram(name, words, [*one, "model"], buckets=_SECONDS, registry=at)
        name, words = "headrace_record_seconds", "Time from a record's timestamp to its result"
        self._total_seconds = BatchHistogram(name, words, pipeline, bounds=_SECONDS, registry=at)
        words = "Messages not yet committed, by stage and partition"
        self._lag = gauge("headrace_lag_records", words, [*stage, "partition"])
        self._in_flight = gauge("headrace_in_flight_records", "Records read and not yet acknowledged", stage)
        self._gaps = counter("headrace_gaps", "Times that expired records were passed over", one)
        words = "Records that wait at egress for more answers or their turn"
        self._waiting = gauge("headrace_join_waiting_records", words, one)
        self._late = counter("headrace_late_answers", "Answers that came after their record had its end", one)
        words = "Partitions that wait for a record whose error may pass"
        self._held = gauge("headrace_held_partitions", words, stage)
        words = "1 for a step that is left alone since it kept failing"
        self._quarantined = gauge("headrace_quarantined_steps", words, [*stage, "plugin"])
        words = "Records, or results for one output, that went to wait until they are tried again"
        self._aside = counter("headrace_set_aside", words, one)
        self._pipeline = pipeline
        self._lagging: dict[str, frozenset[int]] = {}
        self._known_quarantined: set[tuple[str, str]] = set()

    def model(self, name: str, count: int, seconds: float) -> None:
        """Count a batch's visit to a model."""
        self._served.labels(self._pipeline, name).inc(count)
        self._model_seconds.labels(self._pipeline, name).observe(seconds)

    def failed(self, slots: Sequence[Slot]) -> None:
        """Count the records of a batch that failed, and the results that an output could not take."""
        slots = [slot for slot in slots if slot.failure is not None or slot.dead]
        if not slots:
            return
        failures = [slot.failure for slot in slots if slot.failure is not None]
        codes = Tally(failure.code for failure in failures if not failure.waits)
        if codes:
            self._records.labels(self._pipeline, "dead").inc(codes.total())
        codes.update(failure.code for slot in slots for failure in slot.dead if not failure.waits)
        waiting = sum(failure.waits for slot in slots for failure in slot.failures)
        if waiting:
            self._aside.labels(self._pipeline).inc(waiting)
        for code, count in codes.items():
            self._dead.labels(self._pipeline, code).inc(count)

    def ended(self, statuses: Iterable[str], seconds: Iterable[float]) -> None:
        """Count how the records of a batch that came to their end did so, and how many seconds each took."""
        for status, count in Tally(statuses).items():
            self._records.labels(self._pipeline, status).inc(count)
        self._total_seconds.observe(seconds)

    def in_flight(self, stage: str, count: int) -> None:
        """Note how many records a stage has read whose results are not all acknowledged."""
        self._in_flight.labels(self._pipeline, stage).set(count)

    def lag(self, stage: str, counts: Mapping[int, int]) -> None:
        """Note how many messages of each partition that is ours are not yet committed; others are forgotten."""
        for partition in self._lagging.get(stage, frozenset()) - counts.keys():
            self._lag.remove(self._pipeline, stage, str(partition))
        self._lagging[stage] = frozenset(counts)
        for partition, count in counts.items():
            self._lag.labels(self._pipeline, stage, str(partition)).set(count)

    def gap(self) -> None:
        """Count a gap that `on_gap: continue` passed over."""
        self._gaps.labels(self._pipeline).inc()

    def joins(self, waiting: int, late: int) -> None:
        """Note how many records wait for more answers or their turn, and count answers that came too late."""
        self._waiting.labels(self._pipeline).set(waiting)
        self._late.labels(self._pipeline).inc(late)

    def held(self, stage: str, count: int) -> None:
        """Note how many partitions of a stage wait for a record."""
        self._held.labels(self._pipeline, stage).set(count)

    def quarantined(self, steps: Collection[tuple[str, str]]) -> None:
        """Note which steps are in quarantine, by stage and plugin; those that were keep their figure, 0."""
        self._known_quarantined |= set(steps)
        for stage, plugin in self._known_quarantined:
            self._quarantined.labels(self._pipeline, stage, plugin).set((stage, plugin) in steps)

    def exposition(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        return generate_latest(self.registry)
