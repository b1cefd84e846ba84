"""Quarantine: a step that keeps failing is left alone, tried now and then, and taken back when it works."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from headrace.core.errors import RecordError
from headrace.core.record import Batch, Record
from headrace.streams.bisect import Retries
from headrace.streams.breaker import Quarantine
from headrace.streams.ingress import Change
from headrace.streams.slot import Slot
from tests.support.made import record


class Bench:
    """A leg on a step that fails while `error` is set, and a clock that moves by hand."""

    def __init__(self, after: int = 3, *, waits_for_transient: bool = False) -> None:
        self.now, self.error, self.calls = 0.0, ValueError("it hurts"), 0
        self.fault: Exception | None = self.error
        self.told: list[list[tuple[str, str]]] = []
        self.quarantine = Quarantine(after, 5.0, lambda steps: self.told.append(list(steps)), lambda: self.now)
        retries = Retries(limit=0, quarantine=self.quarantine, waits_for_transient=waits_for_transient)
        self.leg = Change("ingress", "odd", self._call, retries)

    def _call(self, batch: Batch) -> Sequence[Record]:
        self.calls += 1
        if self.fault is not None:
            raise self.fault
        return list(batch)

    def run(self, count: int = 1) -> list[str]:
        """Run so many records; return the code of each one's failure, or nothing."""
        slots = [Slot(None, record("a")) for _ in range(count)]
        self.leg.run(slots)
        return [slot.failure.code if slot.failure else "" for slot in slots]


@pytest.mark.provokes("HR611")
def test_after_so_many_records_in_a_row_the_step_is_asked_no_more() -> None:
    bench = Bench(3)
    assert [bench.run() for _ in range(3)] == [["HR501"]] * 3
    calls = bench.calls
    assert bench.run(64) == ["HR611"] * 64
    assert bench.calls == calls
    assert bench.told == [[("ingress", "odd")]]
    assert "HR501 step 'odd' raised ValueError: it hurts" in bench.quarantine.open["ingress", "odd"]


def test_a_record_that_passes_between_starts_the_count_again() -> None:
    bench = Bench(3)
    for fault in (bench.error, bench.error, None, bench.error, bench.error):
        bench.fault = fault
        bench.run()
    assert bench.quarantine.open == {}


def test_records_that_are_themselves_wrong_do_not_count() -> None:
    bench = Bench(3)
    bench.fault = RecordError("not mine")
    bench.run(10)
    assert bench.quarantine.open == {}


def test_one_record_is_tried_now_and_then_and_less_often_each_time() -> None:
    bench = Bench(1)
    bench.run()
    calls = []
    for second in range(60):
        bench.now, before = float(second), bench.calls
        bench.run(8)
        calls += [second] * (bench.calls - before)
    assert calls == [5, 15, 35]


def test_when_the_tried_record_passes_all_of_its_batch_does() -> None:
    bench = Bench(1)
    bench.run()
    bench.fault, bench.now = None, 5.0
    assert bench.run(4) == [""] * 4
    assert bench.quarantine.open == {}
    assert bench.told[-1] == []


def test_nothing_is_ever_quarantined_when_the_file_says_so() -> None:
    bench = Bench(0)
    assert set(bench.run(100)) == {"HR501"}


def test_what_waits_until_it_passes_does_not_count_against_the_step() -> None:
    bench = Bench(1, waits_for_transient=True)
    bench.fault = ConnectionError("away")
    assert bench.run() == ["HR501"]
    assert bench.quarantine.open == {}
    bench.fault = bench.error
    bench.run()
    assert bench.quarantine.open != {}
