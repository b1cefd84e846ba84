"""A rate: so many records a second, evenly, and never more to catch up."""

from __future__ import annotations

import pytest

from headrace.streams.pace import Pace


class Clock:
    """Moves by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_without_a_rate_everything_passes() -> None:
    assert Pace(None).allowed(64) == 64


@pytest.mark.parametrize("rate", [0.5, 3.0, 100.0, 5000.0])
def test_in_any_while_no_more_than_the_rate_passes_and_nearly_as_many(rate: float) -> None:
    clock = Clock()
    pace, passed = Pace(rate, clock), 0
    for _ in range(10_000):
        clock.now += 0.002
        count = pace.allowed(64)
        pace.took(count)
        passed += count
    assert rate * 20 - 2 <= passed <= rate * 20 + max(1, rate / 10)


def test_what_was_not_read_is_not_read_later_all_at_once() -> None:
    clock = Clock()
    pace = Pace(100, clock)
    clock.now += 3600
    assert pace.allowed(10_000) == 10


async def test_it_waits_for_the_next_record_a_moment_at_most() -> None:
    pace = Pace(0.001)
    await pace.open()
    assert pace.allowed(1) == 0
