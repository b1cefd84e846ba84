"""What a run of a model costs, by its texts and their tokens: measured when the worker starts, between points by lines.

Nobody can tell beforehand whether texts that share a run are quicker: on a processor eight short ones are and eight
long ones are not, and threads, caches and the model move the border. So a few runs are timed, and the rest is worked
out. Of what was not measured nothing good is expected: such texts cost as much together as one by one.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import product

__all__ = ["CostTable", "measure", "shapes"]

ROWS, TOKENS = (1, 2, 4, 8, 16), (8, 32, 128, 512)
BUDGET_S = 1.0
"""Enough for sixteen texts of 32 tokens of a MiniLM on one core; joining a consumer group takes longer."""
MOST_S = 3.0
"""Where others have the core meanwhile, the first batch waits no longer than this."""
_ROUNDS = (2, 1, 1)
"""How often a shape is run in each round: at once again, since what runs first has its memory's first use in it."""
_MARGIN = 1.02
"""What a shared run has to be better by: the least of a few timings is still off by a hundredth or two."""

Shape = tuple[int, int]
"""Texts of a run, and tokens of each, padding included."""


class CostTable:
    """Milliseconds of runs.

    Args:
        measured: milliseconds by shape. For each count of tokens that occurs there is one of a single text.
    """

    def __init__(self, measured: Mapping[Shape, float]) -> None:
        self.measured = dict(measured)
        self._tokens = sorted({tokens for rows, tokens in measured if rows == 1})
        self._rows = {at: sorted(rows for rows, tokens in measured if tokens == at) for at in self._tokens}
        self._known: dict[Shape, float] = {}

    def ms(self, rows: int, tokens: int) -> float:
        """Return what a run of so many texts, padded to so many tokens, is expected to take."""
        shape = rows, tokens
        found = self._known.get(shape)
        if found is None:
            found = self._known[shape] = self._between(rows, tokens) * (_MARGIN if rows > 1 else 1.0)
        return found

    def _between(self, rows: int, tokens: int) -> float:
        at = bisect_right(self._tokens, tokens)
        if at == 0:  # shorter than any that was measured: no run is quicker than that
            return self._at(rows, self._tokens[0])
        below = self._tokens[at - 1]
        if at == len(self._tokens):  # longer: what a token costs there
            return self._at(rows, below) * tokens / below
        above = self._tokens[at]
        share = (tokens - below) / (above - below)
        return self._at(rows, below) * (1 - share) + self._at(rows, above) * share

    def _at(self, rows: int, tokens: int) -> float:
        """Return what texts of a measured count of tokens take; as many as were not measured gain nothing more."""
        known = self._rows[tokens]
        at = bisect_right(known, rows)
        below = known[at - 1]
        if at == len(known):
            return self.measured[below, tokens] + (rows - below) * self.measured[1, tokens]
        above, share = known[at], (rows - below) / (known[at] - below)
        return self.measured[below, tokens] * (1 - share) + self.measured[above, tokens] * share


def shapes(most_rows: int, most_tokens: int, most_of_a_run: int) -> list[Shape]:
    """Return the shapes to measure, the smallest first.

    Args:
        most_rows: most texts in a run.
        most_tokens: of the longest text.
        most_of_a_run: most tokens in a run, padding included.
    """
    counts = [rows for rows in ROWS if rows <= most_rows]
    lengths = [tokens for tokens in TOKENS if tokens < most_tokens] + [most_tokens]
    allowed = (shape for shape in product(counts, lengths) if shape[0] == 1 or shape[0] * shape[1] <= most_of_a_run)
    return sorted(allowed, key=lambda shape: (shape[0] * shape[1], shape))


def measure(
    run: Callable[[int, int], object],
    wanted: Sequence[Shape],
    *,
    clock: Callable[[], float] = time.perf_counter,
    wall: Callable[[], float] = time.monotonic,
) -> CostTable | None:
    """Return what runs cost; None when there was no time for one twice.

    Args:
        run: runs so many texts of so many tokens.
        wanted: the shapes, the smallest first; what would take longer than is left is not begun.
        clock: gives seconds, of which runs may take `BUDGET_S`.
        wall: gives seconds, of which all may take `MOST_S`.
    """
    end, latest, times = clock() + BUDGET_S, wall() + MOST_S, dict[Shape, list[float]]()
    for repeats in _ROUNDS:
        per_token = 0.0
        for rows, tokens in wanted:
            if clock() + repeats * per_token * rows * tokens > end or wall() > latest:
                break
            for _ in range(repeats):
                begun = clock()
                run(rows, tokens)
                times.setdefault((rows, tokens), []).append((clock() - begun) * 1000)
            per_token = times[rows, tokens][-1] / 1000 / (rows * tokens)
    least = {shape: min(took) for shape, took in times.items()}
    kept = {shape: ms for shape, ms in least.items() if (1, shape[1]) in least}
    return CostTable(kept) if kept else None
