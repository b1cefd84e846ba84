"""Let a stage pass over records that it cannot get past: they become dead letters without being tried."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from headrace.core.wire.control import Skip
from headrace.streams.control.errors import NothingToSkipError
from headrace.streams.control.target import Reading
from headrace.streams.offsets import Span

__all__ = ["Skipping", "plan_skip", "refuse_no_record"]


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


def refuse_no_record(record: str, topics: Collection[str]) -> None:
    """Refuse an id that no record can have whose message lies on one of these topics.

    Raises:
        NothingToSkipError: HR226.
    """
    found = re.fullmatch(r"(.+):[0-9]{1,9}:[0-9]{1,19}", record)
    if found is None or found[1] not in topics:
        raise NothingToSkipError(
            f"{record!r} is no record of this pipeline",
            mend=f"name it as the worker does, such as {min(topics)}:0:17; `headrace status` shows what waits",
        )
