"""How many records may be read now, where the file sets a rate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

__all__ = ["Pace"]

BURST_S = 0.1  # what was not read in so long is lost: short enough to be even, long enough for batches


class Pace:
    """Lets so many records a second pass.

    Args:
        rate: records a second; None for as many as there are.
        clock: monotonic seconds.
    """

    def __init__(self, rate: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._credit, self._at = 0.0, clock()

    async def open(self) -> None:
        """Wait until a record may be read, for a moment at most: who reads has other things to look after."""
        if self._rate is not None and self.allowed(1) < 1:
            await asyncio.sleep(min(BURST_S, (1 - self._credit) / self._rate))

    def allowed(self, most: int) -> int:
        """Return how many records may be read now, at most so many."""
        if self._rate is None:
            return most
        now = self._clock()
        held = max(1.0, self._rate * BURST_S)
        self._credit = min(held, self._credit + (now - self._at) * self._rate)
        self._at = now
        return max(0, min(most, int(self._credit)))

    def took(self, count: int) -> None:
        """Note that records were read."""
        if self._rate is not None:
            self._credit -= count
