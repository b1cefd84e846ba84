"""What ingress sends on is stamped so that between two records nothing is left open, and so is what it reads again."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.core.record import Position
from headrace.streams.eras import Eras
from headrace.streams.slot import Slot
from tests.support.made import message, record
from tests.support.parts import failure


def slots(*offsets: int, failed: Sequence[int] = (), done: Sequence[int] = (), partition: int = 0) -> list[Slot]:
    made = []
    for offset in offsets:
        source = Position("reviews", partition, offset)
        slot = Slot(message(position=source), record(source=source))
        if offset in failed:
            slot.fail(failure())
        slot.is_done = offset in done
        made.append(slot)
    return made


def stamps(eras: Eras, own: list[Slot]) -> list[tuple[int, int, int]]:
    eras.stamp(own)
    return [
        (slot.source.offset, slot.record.since, slot.record.era) for slot in own if slot.record and not slot.is_done
    ]


def test_a_record_takes_in_what_ended_here_before_it() -> None:
    eras = Eras(lambda: 1000.0)
    eras.begin()
    assert stamps(eras, slots(5, 6, 7, 9, failed=[6], done=[5])) == [(7, 5, 1000), (9, 8, 1000)]
    assert stamps(eras, slots(10, 12, failed=[10])) == [(12, 10, 1000)]


def test_copies_of_a_record_have_one_stamp() -> None:
    eras = Eras(lambda: 1000.0)
    eras.begin()
    assert stamps(eras, slots(4, 5, 5, 5, 6, failed=[4])) == [(5, 4, 1000)] * 3 + [(6, 6, 1000)]


def test_partitions_are_told_apart() -> None:
    eras = Eras(lambda: 1000.0)
    eras.begin()
    assert stamps(eras, [*slots(5), *slots(70, partition=1), *slots(7)]) == [(5, 5, 1000), (70, 70, 1000), (7, 6, 1000)]


def test_after_a_new_beginning_nothing_is_taken_in_that_somebody_else_may_have_sent_on() -> None:
    eras = Eras(lambda: 1000.0)
    eras.begin()
    assert stamps(eras, slots(5)) == [(5, 5, 1000)]
    eras.begin()
    assert stamps(eras, slots(90)) == [(90, 90, 1001)], "a later era, even within a millisecond"
    assert stamps(eras, slots(3)) == [(3, 3, 1001)]
