"""Let a stage pass over records that it cannot get past: they become dead letters without being tried."""

from __future__ import annotations

from typing import NamedTuple

from headrace.core.wire.control import Skip
from headrace.streams.control.errors import NothingToSkipError
from headrace.streams.control.target import Reading
from headrace.streams.offsets import Span

__all__ = ["Skipping", "plan_skip"]


class Skipping(NamedTuple):
    """What is passed over: offsets from `first` until `until`, and how many wait behind them."""

    first: int
    until: int
    behind: int


def plan_skip(stage: Reading, partition: int, count: int, spans: dict[int, Span], before: Skip | None) -> Skipping:
    """Return what skipping the next `count` offsets of a partition means.

    Args:
        stage: who reads it.
        partition: of its topic.
        count: how many offsets, from the committed one; no more than there are.
        spans: what the stage has read of each partition of the topic.
        before: what is skipped there already; what of it is still to come stays skipped.

    Raises:
        NothingToSkipError: HR226, no such partition, or nothing waits in it.
    """
    span = spans.get(partition)
    if span is None:
        known = f"it has 0 to {max(spans)}" if spans else "it is not there"
        raise NothingToSkipError(f"topic {stage.topic!r} has no partition {partition}", mend=known)
    if span.next is None or span.next >= span.end:
        raise NothingToSkipError(
            f"stage {stage.stage!r} has read partition {partition} of {stage.topic!r} to its end, offset {span.end}",
            mend="name a partition in which records wait; `headrace status` shows them",
        )
    until = min(span.next + count, span.end)
    if before is not None and before.first <= span.next:
        until = max(until, before.until)
    return Skipping(span.next, until, max(0, span.end - until))
