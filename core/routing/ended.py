"""Which records of a partition have come to their end, as runs of offsets: small, however many records ended."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

__all__ = ["Ended", "Run"]

Run = tuple[int, int, int]
"""First offset, the one after the last, and the era in which they ended."""


class Ended:
    """Offsets that ended, each with the era in which it did.

    An era is the time at which ingress began to read a partition. Whoever reads it again, after a crash or because an
    operator has set back its offsets, does so in a later era, and its records are not taken for late ones.

    Args:
        runs: as `runs` gave them.
    """

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        kept = sorted(runs)
        self._starts = [start for start, _, _ in kept]
        self._ends = [end for _, end, _ in kept]
        self._eras = [era for _, _, era in kept]

    @property
    def runs(self) -> Sequence[Run]:
        """The runs in order; no two of them touch in one era."""
        return list(zip(self._starts, self._ends, self._eras, strict=True))

    def has(self, offset: int, era: int) -> bool:
        """Whether a record that was routed in this era has ended already, in it or a later one."""
        at = bisect_right(self._starts, offset) - 1
        return at >= 0 and offset < self._ends[at] and era <= self._eras[at]

    def add(self, start: int, end: int, era: int) -> None:
        """Note that the offsets from `start` to the one before `end` have ended."""
        # The common case first: the next offset after the last one.
        if self._ends and self._ends[-1] == start and self._eras[-1] == era:
            self._ends[-1] = end
            return
        first, last = bisect_right(self._ends, start - 1), bisect_left(self._starts, end + 1)
        near = zip(self._starts[first:last], self._ends[first:last], self._eras[first:last], strict=True)
        touched = [(start, end, era), *near]
        made = _flat(touched) if len(touched) > 1 else touched
        self._starts[first:last] = [run[0] for run in made]
        self._ends[first:last] = [run[1] for run in made]
        self._eras[first:last] = [run[2] for run in made]


def _flat(runs: Sequence[Run]) -> list[Run]:
    """Return runs that do not overlap: each offset with the latest era that any of these runs gives it."""
    cuts = sorted({edge for start, end, _ in runs for edge in (start, end)})
    made: list[Run] = []
    for start, end in pairwise(cuts):
        eras = [era for first, last, era in runs if first <= start and end <= last]
        if not eras:
            continue
        if made and made[-1][1] == start and made[-1][2] == max(eras):
            made[-1] = (made[-1][0], end, max(eras))
        else:
            made.append((start, end, max(eras)))
    return made
