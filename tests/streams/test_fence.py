"""Two workers of one name."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from headrace.streams.errors import DuplicateWorkerError
from headrace.streams.fence import Fence


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def fence(clock: Clock) -> Fence:
    def first(choices: Sequence[int]) -> int:
        return choices[0]

    return Fence("w1", clock, first)


def moves_until_it_gives_way(made: Fence, clock: Clock, every_s: float, most: int = 50) -> int:
    made.joined("member-0")
    for number in range(1, most):
        clock.now += every_s
        try:
            made.joined(f"member-{number}")
        except DuplicateWorkerError:
            return number
    return most


@pytest.mark.provokes("HR216")
def test_a_newcomer_that_is_pushed_out_again_and_again_gives_way() -> None:
    clock = Clock()
    made = fence(clock)
    made.joined("a")
    made.joined("b")
    made.joined("c")
    with pytest.raises(DuplicateWorkerError, match=r"another process runs as worker 'w1'.*--worker name of its own"):
        made.joined("d")


def test_whoever_was_there_first_gives_way_last() -> None:
    young, old = Clock(), Clock()
    newcomer, settled = fence(young), fence(old)
    settled.joined("member-0")
    old.now = 5.0  # not long, but longer than a newcomer is left in peace
    assert moves_until_it_gives_way(newcomer, young, 1.0) + 2 < moves_until_it_gives_way(settled, old, 1.0) <= 20


def test_one_that_was_pushed_out_once_long_ago_is_still_the_first() -> None:
    clock = Clock()
    made = fence(clock)
    made.joined("a")
    clock.now = 1.0
    made.joined("b")
    clock.now = 100.0
    assert moves_until_it_gives_way(made, clock, 1.0) > 10


def test_joining_again_under_the_same_id_is_an_ordinary_rebalance() -> None:
    made = fence(Clock())
    for _ in range(100):
        made.joined("a")


def test_a_new_id_now_and_then_is_an_outage_or_a_long_pause() -> None:
    clock = Clock()
    assert moves_until_it_gives_way(fence(clock), clock, 20.0) == 50
