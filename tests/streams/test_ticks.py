"""When egress may end a wait though nothing comes: once the broker has said, late enough, that nothing lies there."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from aiokafka import TopicPartition

from headrace.streams.join import Joiner
from headrace.streams.meter import Meter
from headrace.streams.ticks import MARGIN_MS, Ticks

TP = TopicPartition("reviews.link.egress", 3)
DUE_MS = 10_000.0


@dataclass
class Look:
    """What an aiokafka consumer tells of its one partition."""

    at: int = 7
    end: int | None = 7
    seen_ms: float | None = DUE_MS + MARGIN_MS + 1

    def assignment(self) -> set[TopicPartition]:
        return {TP}

    async def position(self, tp: TopicPartition) -> int:
        return self.at

    def highwater(self, tp: TopicPartition) -> int | None:
        return self.end

    def last_poll_timestamp(self, tp: TopicPartition) -> float | None:
        return self.seen_ms


def joiner(**due: float) -> Joiner:
    made = Joiner("state", Meter("reviews"))
    made.due_ms = {3: DUE_MS} if not due else {int(name[1:]): when for name, when in due.items()}
    return made


async def test_a_wait_that_is_over_is_told_with_the_offset_that_was_read_to() -> None:
    (message,), offsets = await Ticks(Look(), joiner()).due()
    assert (message.position, message.value) == (("reviews.link.egress", 3, -1), None)
    assert message.timestamp_ms == DUE_MS + 1
    assert offsets == {TP: 7}


@pytest.mark.parametrize(
    "look",
    [Look(at=6), Look(end=None), Look(seen_ms=None), Look(seen_ms=DUE_MS + MARGIN_MS), Look(seen_ms=DUE_MS - 1)],
    ids=["an answer is unread", "nothing was fetched yet", "nobody asked", "just at its end", "before its end"],
)
async def test_it_is_not_over_while_an_answer_may_lie_there_in_time(look: Look) -> None:
    assert await Ticks(look, joiner()).due() == ([], {})


async def test_partitions_without_a_wait_are_left_alone() -> None:
    assert await Ticks(Look(), joiner(p2=1.0)).due() == ([], {})
