"""Which exposures a worker owes: each meeting once while it is remembered, all again after a failure."""

from __future__ import annotations

import tracemalloc

from headrace.core.experiments.experiment import HELD_OUT, HOLDOUT, Assigned
from headrace.core.record import Outgoing, Record
from headrace.core.wire.exposure import exposure
from headrace.streams.exposures import Exposures
from tests.support.made import NOON_MS, record

BLUE = Assigned("colour", 1, "blue")
LARGE = Assigned("size", 1, "large")


def seen(unit: str | None, *met: Assigned) -> Record:
    return record(unit=unit, experiments=met)


def exposures(remembered: int = 10) -> Exposures:
    return Exposures("reviews", remembered=remembered, now_ms=lambda: NOON_MS)


def keys(messages: list[Outgoing]) -> list[bytes | None]:
    return [message.key for message in messages]


def test_a_meeting_is_told_once() -> None:
    told = exposures()
    assert told.due([seen("ann", BLUE)]) == [exposure(seen("ann", BLUE), BLUE, "reviews", NOON_MS)]
    assert told.due([seen("ann", BLUE), seen("bob", BLUE), seen("bob", BLUE)]) == [
        exposure(seen("bob", BLUE), BLUE, "reviews", NOON_MS)
    ]


def test_each_experiment_phase_and_variant_is_a_meeting_of_its_own() -> None:
    told = exposures()
    met = [BLUE, LARGE, Assigned("colour", 2, "blue"), Assigned("colour", 2, "red"), Assigned(HOLDOUT, 1, HELD_OUT)]
    assert [len(told.due([seen("ann", one)])) for one in [*met, *met]] == [1] * 5 + [0] * 5
    assert len(told.due([seen("bob", *met)])) == 5


def test_a_record_that_met_nothing_tells_nothing() -> None:
    assert exposures().due([seen("ann"), seen(None)]) == []


def test_after_a_failure_everything_is_told_again() -> None:
    told = exposures()
    first = told.due([seen("ann", BLUE), seen("bob", LARGE)])
    told.forget()
    assert told.due([seen("ann", BLUE), seen("bob", LARGE)]) == first


def test_memory_is_bounded_and_the_longest_unseen_is_forgotten_first() -> None:
    told = exposures(remembered=2)
    told.due([seen("ann", BLUE), seen("bob", BLUE)])
    assert told.due([seen("ann", BLUE)]) == []
    assert keys(told.due([seen("cas", BLUE)])) == [b"cas"]
    assert told.due([seen("ann", BLUE)]) == []
    assert keys(told.due([seen("bob", BLUE)])) == [b"bob"]


def test_a_meeting_that_is_remembered_takes_a_few_hundred_bytes() -> None:
    tracemalloc.start()
    told = exposures(remembered=5_000)
    for at in range(6_000):
        told.due([seen(f"{at:036}", BLUE)])
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 50 < used / 5_000 < 400
