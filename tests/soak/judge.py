"""Whether a long run was flat: its last quarter against its second one, the outage between them left out.

The first quarter is not looked at: tables fill up, caches warm, and Python's heap finds its size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import NamedTuple

from benchmarks.figures import Bar
from tests.soak.sample import Sample

__all__ = ["Look", "bars", "percentile", "quarters", "rows"]

GROWTH, ROOM_MB = 0.05, 8.0
"""What memory may grow by: a share of it, and as much as one fetch of records takes on its way."""
SLOWER, ROOM_MS = 1.5, 5.0
"""What latency may rise to, and how much by chance when it is small."""
LEAST = 3
"""Looks that a quarter needs."""


class Look(NamedTuple):
    """What was seen at one moment.

    Attributes:
        at_s: seconds since the load began.
        workers: by group.
        latencies_ms: of the results since the last look: from a record's publishing to the reader of its result.
    """

    at_s: float
    workers: Mapping[str, Sample]
    latencies_ms: Sequence[float]


class Pair(NamedTuple):
    """One measure in the second quarter and in the last one, and the most that it may be there."""

    name: str
    unit: str
    before: float
    after: float
    most: float


def quarters(looks: Sequence[Look], length_s: float) -> tuple[list[Look], list[Look]]:
    """Return what was seen in the second and in the last quarter of a run."""
    second = [look for look in looks if length_s / 4 <= look.at_s < length_s / 2]
    return second, [look for look in looks if look.at_s >= length_s * 3 / 4]


def bars(looks: Sequence[Look], length_s: float) -> list[Bar]:
    """Return what must hold for the run to be flat.

    Args:
        looks: all of them; the broker is away at most in the third quarter.
        length_s: of the whole run.
    """
    second, last = quarters(looks, length_s)
    fewest = min(len(second), len(last))
    found = [Bar("looks in a quarter", fewest, LEAST)]
    if fewest < LEAST:
        return found
    return found + [Bar(one.name, one.after, one.most, one.unit, at_most=True) for one in _pairs(second, last)]


def rows(looks: Sequence[Look], length_s: float) -> list[tuple[str, ...]]:
    """Return each measure as a row of a table: its name, the second quarter, the last one, the most allowed."""
    second, last = quarters(looks, length_s)
    if min(len(second), len(last)) < LEAST:
        return []
    return [
        (one.name, *(f"{figure:,.1f}{one.unit}" for figure in (one.before, one.after, one.most)))
        for one in _pairs(second, last)
    ]


def _pairs(second: Sequence[Look], last: Sequence[Look]) -> Iterator[Pair]:
    for group in second[0].workers:
        before, after = ([look.workers[group] for look in looks if group in look.workers] for looks in (second, last))
        for name in ("rss_mb", "pss_mb"):
            was, is_now = _typical(before, name), _typical(after, name)
            yield Pair(f"{group}: {name[:3].upper()}", " MB", was, is_now, was * (1 + GROWTH) + ROOM_MB)
        for name in ("handles", "threads"):
            was, is_now = _typical(before, name), _typical(after, name)
            yield Pair(f"{group}: {name}", "", was, is_now, was)
    for share in (50, 99):
        was, is_now = (median(percentile(look.latencies_ms, share) for look in looks) for looks in (second, last))
        yield Pair(f"latency p{share}", " ms", was, is_now, was * SLOWER + ROOM_MS)


def _typical(samples: Sequence[Sample], name: str) -> float:
    return float(median(getattr(one, name) for one in samples)) if samples else float("nan")


def percentile(latencies_ms: Sequence[float], share: int) -> float:
    """Return the latency that so many of a hundred results had at most; endless when there were none."""
    if not latencies_ms:
        return float("inf")
    ordered = sorted(latencies_ms)
    return ordered[min(len(ordered) - 1, len(ordered) * share // 100)]
