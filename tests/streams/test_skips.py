"""What a stage passes over: spans of offsets of what it reads, and records by their source."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.core.record import Position
from headrace.streams.live import Live
from headrace.streams.skips import Skips
from headrace.streams.slot import Slot
from tests.support.made import message
from tests.support.planned import compiled

ASIDE = "reviews.retry.ingress"


@pytest.fixture
def live(tmp_path: Path) -> Live:
    live = Live(compiled(tmp_path))
    live.change(skips={"ingress": {0: (3, 5)}}, skipped_records={"ingress": frozenset({"reviews:1:9"})})
    return live


def slot(topic: str, partition: int, offset: int) -> Slot:
    return Slot(message(b"{}", position=Position(topic, partition, offset)))


@pytest.mark.parametrize(
    ("stage", "at", "is_skipped"),
    [
        ("ingress", Position("reviews", 0, 2), False),
        ("ingress", Position("reviews", 0, 3), True),
        ("ingress", Position("reviews", 0, 4), True),
        ("ingress", Position("reviews", 0, 5), False),
        ("ingress", Position("reviews", 1, 3), False),
        ("ingress", Position(ASIDE, 0, 3), False),
        ("echo", Position("reviews", 0, 3), False),
    ],
)
def test_a_span_is_of_one_partition_of_what_a_stage_reads(
    live: Live, stage: str, at: Position, is_skipped: bool
) -> None:
    skips = Skips(live, ASIDE)
    assert skips.of(stage)(at) is is_skipped
    slots = [slot(*at)]
    skips.fail(stage, slots)
    assert (slots[0].failure is not None) is is_skipped


def test_a_record_holds_up_nothing_when_its_message_or_its_source_is_skipped(live: Live) -> None:
    passes = Skips(live, None).holding_nothing("ingress")
    assert [passes(slot("reviews", *at)) for at in ((0, 3), (1, 9), (0, 9))] == [True, True, False]


def test_what_is_asked_later_counts_from_then_on(live: Live) -> None:
    skips = Skips(live, None)
    before = skips.of("ingress")
    live.change(skips={})
    assert before(Position("reviews", 0, 3)), "a batch sees one state"
    assert not skips.of("ingress")(Position("reviews", 0, 3))
