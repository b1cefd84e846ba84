"""The batches of a record loop that are under way, in the order they were launched."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from headrace.streams.flight import Flight

__all__ = ["MOST", "Flights"]

MOST = 2
"""While the steps of one run in the executor, the results of the one before are sent."""


class Flights:
    """Those of one loop.

    Args:
        note: told how many records are in flight, whenever that has changed.
    """

    def __init__(self, note: Callable[[int], None]) -> None:
        self._note = note
        self._all: list[Flight] = []
        self._noted: int | None = None
        self.launched = -float("inf")
        """When the last one was launched, by the monotonic clock."""

    def __len__(self) -> int:
        """How many there are."""
        return len(self._all)

    @property
    def first(self) -> Flight:
        """The oldest; there must be one."""
        return self._all[0]

    @property
    def is_full(self) -> bool:
        """Whether no other may be launched now."""
        return len(self._all) >= MOST

    @property
    def is_ahead(self) -> bool:
        """Whether the next one has to wait anyway, for steps or for one to end; fuller batches cost less."""
        return self.is_full or any(not flight.stepped.is_set() for flight in self._all)

    async def moved(self, within_s: float) -> None:
        """Wait, at most for a while, until the last one's steps are done, or else the first one has ended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                last = self._all[-1]
                await (last.stepped.wait() if not last.stepped.is_set() else self.first.landed())

    def launch(self, flight: Flight, fly: Callable[[Flight, Flight | None], Coroutine[Any, Any, None]]) -> None:
        """Let a flight begin; `fly` takes it and the one before it."""
        previous = self._all[-1] if self._all else None
        self._all.append(flight)
        self.launched = time.monotonic()
        flight.task = asyncio.create_task(fly(flight, previous))
        self._note_weight()

    def raise_failed(self) -> None:
        """Take landed flights off the list; raise what a failed one raised."""
        while self._all and self._all[0].task is not None and self._all[0].task.done():
            self._all.pop(0).task.result()  # type: ignore[union-attr]  # looked at in the condition
        self._note_weight()

    async def landed(self) -> Sequence[BaseException | None]:
        """Wait until all that are in flight now have ended; return of each what it raised, if it did."""
        return await asyncio.gather(*(flight.landed() for flight in self._all), return_exceptions=True)

    def clear(self) -> None:
        """Take all off the list: they have ended, or whatever becomes of them is read again."""
        self._all.clear()

    async def abandon(self) -> None:
        """Let what is in flight end, whatever becomes of it; it is read again."""
        tasks = [flight.task for flight in self._all if flight.task is not None]
        self._all.clear()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _note_weight(self) -> None:
        weight = sum(flight.weight for flight in self._all)
        if weight != self._noted:  # a gauge with labels costs as much as the steps of a record
            self._note(weight)
            self._noted = weight
