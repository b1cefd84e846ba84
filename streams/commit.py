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

    def note(self, offsets: Mapping[Any, int]) -> None:
        """Take offsets (last record done + 1) whose results are all acknowledged."""
        self._done.update(offsets)

    def forget(self) -> None:
        """Drop what was noted: after an error or a new assignment, reading begins at the committed offsets."""
        self._done.clear()

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to commit, be it due or not."""
        return bool(self._done)

    @property
    def is_due(self) -> bool:
        """Whether there is something to commit and the last commit is long enough ago."""
        return bool(self._done) and self._clock() - self._last >= self._every_s

    async def commit(self) -> None:
        """Commit what is done, of the partitions that are still assigned."""
        taken, self._done = self._done, {}
        assigned = self._assigned()
        offsets = {tp: offset for tp, offset in taken.items() if tp in assigned}
        if offsets:
            await self._commit(offsets)
        self._last = self._clock()
