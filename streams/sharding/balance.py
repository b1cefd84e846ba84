"""Where to cut a row of costs, so that the largest piece is as small as can be."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

__all__ = ["balanced", "choose", "pieces"]

FloatArray = np.ndarray[Any, np.dtype[np.float64]]

# Places are taken as narrow as the balance allows: the squares of the costs may add up to so much more than the best.
_SLACK = 1.05
# A place that is little wider than the narrowest that will do is as good, if it balances better.
_WIDER = 1.25


def choose(costs: Sequence[float], widths: Sequence[float | None], parts: int) -> tuple[int, ...] | None:
    """Return the places at which to cut: the narrowest ones that give parts of like cost.

    Args:
        costs: of the nodes, in order.
        widths: of each place, behind the first node and so on, the bytes that cross it; None where no cut may be.
        parts: how many there are to be; at least 2.

    Returns: `parts` - 1 places in order, or None when there are too few.
    """
    usable = {place: width for place, width in enumerate(widths) if width is not None}
    best = balanced(costs, list(usable), parts)
    if best is None:
        return None
    good = _unevenness(costs, best) * _SLACK
    for width in sorted(set(usable.values())):
        cuts = balanced(costs, [place for place, own in usable.items() if own <= width * _WIDER], parts)
        if cuts is not None and _unevenness(costs, cuts) <= good:
            return cuts
    return best


def balanced(costs: Sequence[float], places: Sequence[int], parts: int) -> tuple[int, ...] | None:
    """Return the cuts at some of the places that make the largest piece smallest, and the rest as even as that allows.

    Dynamic programming: the best way to have q pieces end at a place is the best over the places before it of having
    q - 1 end there. Once for the largest piece; and once for the least sum of squares with no piece beyond it.

    Args:
        costs: of the nodes, in order.
        places: where a piece may end, in order: behind which node.
        parts: how many pieces.

    Returns: the ends of all pieces but the last, or None when there are too few places.
    """
    if len(places) < parts - 1:
        return None
    ends = [-1, *places, len(costs) - 1]
    before = np.concatenate([[0.0], np.cumsum(costs)])[np.asarray(ends) + 1]
    piece = before[:, None] - before[None, :]  # [to, from]
    piece[np.triu_indices(len(ends))] = np.inf  # a piece ends behind where it begins
    largest, _ = _best(piece, parts, np.maximum)
    allowed = np.where(piece <= largest * (1 + 1e-9), piece**2, np.inf)
    _, cuts = _best(allowed, parts, np.add)
    return tuple(ends[cut] for cut in cuts)


def pieces(costs: Sequence[float], cuts: Sequence[int]) -> list[float]:
    """Return the cost of each piece."""
    ends = [0, *(cut + 1 for cut in cuts), len(costs)]
    return [float(sum(costs[start:end])) for start, end in pairwise(ends)]


def _best(piece: FloatArray, parts: int, join: np.ufunc) -> tuple[float, list[int]]:
    """Return the least value of the last end, joined over the pieces, and the ends of all pieces but the last.

    Args:
        piece: the value of a piece, ``[to, from]``.
        parts: how many pieces.
        join: how the values of pieces become one: the largest of them, or their sum.
    """
    count = len(piece)
    best = np.where(np.arange(count) == 0, 0.0, np.inf)
    came = []
    for _ in range(parts):
        reach = join(best[None, :], piece)
        came.append(reach.argmin(axis=1))
        best = reach.min(axis=1)
    cuts, end = [], count - 1
    for back in reversed(came):
        end = int(back[end])
        cuts.append(end)
    return float(best[-1]), cuts[-2::-1]


def _unevenness(costs: Sequence[float], cuts: Sequence[int]) -> float:
    return sum(piece**2 for piece in pieces(costs, cuts))
