"""Offsets that may be committed, and when: after every result of theirs was acknowledged, at most every so often."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Committer"]


class Committer:
    """Holds the offsets whose records are done until a commit is due.

    Args:
        commit: sends offsets to the broker.
        assigned: returns the partitions that are still ours; others' offsets are not ours to commit.
        every_ms: least milliseconds between two commits under load.
    """

    def __init__(
        self,
        commit: Callable[[Mapping[Any, int]], Any],
        assigned: Callable[[], frozenset[Any] | set[Any]],
        every_ms: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._commit, self._assigned, self._clock = commit, assigned, clock
        self._every_s = every_ms / 1000
        self._done: dict[Any, int] = {}
        self._last = -float("inf")
        self.count = 0
        """How many commits have succeeded."""

    def note(self, offsets: Mapping[Any, int]) -> None:
        """Take offsets (last record done + 1) whose results are all acknowledged."""
        self._done.update(offsets)

    def forget(self) -> None:
        """Drop what was noted: after an error or a new assignment, reading begins at the committed offsets."""
        self._done.clear()

    @property
    def due_s(self) -> float | None:
        """In how many seconds a commit is due, at once 0; None while there is nothing to commit."""
        return max(0.0, self._last + self._every_s - self._clock()) if self._done else None

    async def commit(self) -> None:
        """Commit what is done, of the partitions that are still assigned."""
        begun = self._clock()
        taken, self._done = self._done, {}
        if offsets := self._ours(taken):
            await self._commit(offsets)
            self.count += 1
            # Commits are `every` apart, begin to begin, but leave half of the time to other work when they are slow.
            ended = self._clock()
            self._last = max(begun, 2 * ended - begun - self._every_s)

    def _ours(self, offsets: Mapping[Any, int]) -> dict[Any, int]:
        assigned = self._assigned()
        return {tp: offset for tp, offset in offsets.items() if tp in assigned}
