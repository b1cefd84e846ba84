"""Whether every meeting with a variant was told, and no other: exposures beside results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.chaos.ends import Ends
from tests.chaos.finding import ALTERED, LOST, UNASKED, Finding
from tests.support.client import Seen

__all__ = ["judge_exposures"]

_Meeting = tuple[str, str, int, str]
"""Unit, experiment, phase, variant."""


def judge_exposures(stormy: Ends, calm: Ends) -> Iterator[Finding]:
    """Yield what is wrong with a run's exposures. One may be told twice, which is not a fault: its `ce_id` says so."""
    told: dict[_Meeting, str] = {}
    for one in stormy.exposures:
        body = one.body
        meeting = (body["unit"], body["experiment"], body["phase"], body["variant"])
        if told.setdefault(meeting, one.header("ce_id")) != one.header("ce_id"):
            yield Finding(ALTERED, body["id"], f"exposure {meeting} has several ce_ids")
    if len(set(told.values())) != len(told):
        yield Finding(ALTERED, "exposures", "several meetings have one ce_id")
    met = _meetings(seen for results in calm.outputs.values() for seen in results)
    for meeting in sorted(met - told.keys()):
        yield Finding(LOST, meeting[0], f"no exposure of {meeting}")
    for meeting in sorted(told.keys() - met):
        yield Finding(UNASKED, meeting[0], f"an exposure of {meeting}, which no result shows")


def _meetings(results: Iterator[Seen] | Sequence[Seen]) -> set[_Meeting]:
    bodies = (one.body for one in results)
    return {
        (body["unit"], each["id"], each["phase"], each["variant"])
        for body in bodies
        for each in body["experiments"]
        if body["unit"]
    }
