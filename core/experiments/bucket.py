"""Which part of the way from 0 to 1 belongs to which variant, as GrowthBook cuts it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from headrace.core.experiments.hash import BUCKETS, point

__all__ = [
    "Range",
    "bucket_ranges",
    "choose",
    "equal_weights",
    "in_slice",
    "layer_seed",
    "layer_slots",
    "variant_slots",
]

Range = tuple[float, float]
"""From, and to below."""

_SUM = (0.99, 1.01)
"""What weights may sum to; others are no weights, and GrowthBook takes equal ones instead."""


def equal_weights(count: int) -> list[float]:
    """Return as many equal weights; they sum to 1."""
    return [1 / count] * count if count > 0 else []


def bucket_ranges(count: int, coverage: float = 1.0, weights: Sequence[float] | None = None) -> list[Range]:
    """Return the range of each variant.

    A range begins where the full one of the variant before ends, and coverage shortens it from its end. So a change of
    coverage adds or drops units, and moves none to another variant.

    Args:
        count: how many variants there are.
        coverage: share of the units that are enrolled; below 0 is 0, above 1 is 1.
        weights: one a variant, summing to about 1; else all count the same.
    """
    coverage = min(1.0, max(0.0, coverage))
    if weights is None or len(weights) != count or not _SUM[0] <= sum(weights) <= _SUM[1]:
        weights = equal_weights(count)
    ranges, begin = [], 0.0
    for weight in weights:
        ranges.append((begin, begin + coverage * weight))
        begin += weight
    return ranges


def choose(at: float, ranges: Sequence[Range]) -> int:
    """Return the index of the range that holds a point; -1 when none does."""
    return next((index for index, (begin, end) in enumerate(ranges) if begin <= at < end), -1)


def layer_seed(layer: str) -> str:
    """Return what the hash of a layer is salted with: GrowthBook's name for a namespace."""
    return f"__{layer}"


def in_slice(unit: str, layer: str, part: Range) -> bool:
    """Whether a unit falls into this part of a layer; GrowthBook hashes namespaces with version 1."""
    at = point(layer_seed(layer), unit, 1)
    return at is not None and part[0] <= at < part[1]


def variant_slots(ranges: Sequence[Range], version: int) -> list[int]:
    """Return for each bucket of the hash the index of its range, or -1: `choose`, asked once for all."""
    chosen = [-1] * BUCKETS[version]
    for index, part in enumerate(ranges):
        slots = _slots(part, version)
        chosen[slots.start : slots.stop] = [index] * len(slots)
    return chosen


def layer_slots(part: Range) -> range:
    """Return the buckets of a layer that lie in this part of it."""
    return _slots(part, 1)


def _slots(part: Range, version: int) -> range:
    buckets = BUCKETS[version]
    first, past = (bisect_left(range(buckets), end, key=lambda at: at / buckets) for end in part)
    return range(first, past)
