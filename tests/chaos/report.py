"""What a run under faults is reported as: the faults by kind, what the checker found, and the verdict."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tests.chaos.finding import DOUBLED, KINDS, Finding
from tests.chaos.strike import Strike

__all__ = ["Report"]

SHOWN = 10


class Report(NamedTuple):
    """One run.

    Attributes:
        title: what ran.
        scheduled: how many faults were to strike.
        strikes: what became of each.
        findings: what is wrong.
        records: how many were published.
        exactly_once: whether nothing may come twice.
        deaths: workers that ended without being told to.
        took_s: how long it took.
        replay: the command that runs the same again.
    """

    title: str
    scheduled: int
    strikes: Sequence[Strike]
    findings: Sequence[Finding]
    records: int
    exactly_once: bool
    deaths: Sequence[str]
    took_s: float
    replay: str

    @property
    def counts(self) -> Counter[str]:
        """How many faults of each kind the checker found; of doubled records, the copies beyond the first."""
        found: Counter[str] = Counter()
        for one in self.findings:
            found[one.kind] += one.copies
        return found

    @property
    def may_double(self) -> int:
        """How many records may have come twice."""
        return 0 if self.exactly_once else sum(strike.may_double for strike in self.strikes)

    @property
    def struck(self) -> int:
        """How many faults struck under lag with a batch in flight."""
        return len({one.fault.number for one in self.strikes if one.counts and one.in_flight and one.lag})

    @property
    def faults(self) -> list[str]:
        """Return why the run is not clean; empty when it is."""
        counts = self.counts
        wrong = [f"{counts[kind]} {kind}" for kind in KINDS if kind != DOUBLED and counts[kind]]
        if counts[DOUBLED] > self.may_double:
            wrong.append(f"{counts[DOUBLED]} doubled, at most {self.may_double} may be")
        if self.struck != self.scheduled:
            wrong.append(f"{self.struck} of {self.scheduled} faults struck under lag with a batch in flight")
        return wrong

    def lines(self) -> Iterator[str]:
        """Yield the report, a line at a time."""
        counts = self.counts
        yield f"{self.title}: {self.records:,} records, {self.struck} of {self.scheduled} faults, {self.took_s:.0f} s"
        yield from self._kinds()
        yield "  " + ", ".join(f"{kind} {counts[kind]}" for kind in KINDS) + f" (may be doubled: {self.may_double})"
        yield from (f"  a worker ended by itself: {death}" for death in self.deaths)
        yield from (f"  {one.kind}: {one.id}: {one.what}" for one in _first_of_each(self.findings))
        yield f"  {'clean' if not self.faults else 'NOT CLEAN: ' + '; '.join(self.faults)}; again: {self.replay}"

    def _kinds(self) -> Iterator[str]:
        by_kind: dict[str, list[Strike]] = defaultdict(list)
        for strike in self.strikes:
            by_kind[strike.fault.kind].append(strike)
        yield f"  {'kind':<28} {'struck':>6} {'in flight':>10} {'lag':>6} {'recovery s: median, most':>26}"
        for kind, strikes in sorted(by_kind.items()):
            in_flight = statistics.median(one.in_flight for one in strikes)
            lag = statistics.median(one.lag for one in strikes)
            times = [one.recovery_s for one in strikes if one.recovery_s is not None]
            took = f"{statistics.median(times):.1f}, {max(times):.1f}" if times else "-"
            count = len({one.fault.number for one in strikes})
            yield f"  {kind:<28} {count:>6} {in_flight:>10.0f} {lag:>6.0f} {took:>26}"


def _first_of_each(findings: Sequence[Finding]) -> Iterator[Finding]:
    shown: Counter[str] = Counter()
    for one in findings:
        shown[one.kind] += 1
        if one.kind != DOUBLED and shown[one.kind] <= SHOWN:
            yield one
