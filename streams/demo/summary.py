"""How the demo ends: what came out, what it is worth, and whether all that was promised holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from headrace.streams.demo.scene import BAD
from headrace.streams.demo.tally import Tally

__all__ = ["Check", "checks", "percentile", "summary"]

LEAST_ESCALATED, MOST_ESCALATED = 0.10, 0.90


class Check(NamedTuple):
    """A promise of the demo, and whether it was kept."""

    promise: str
    is_kept: bool


def checks(tally: Tally, lexicon_accuracy: float, exit_code: int) -> list[Check]:
    """Return the promises that decide the demo's exit status."""
    wanted = sorted(bad.code for bad in BAD)
    cascade, _ = tally.accuracy()
    return [
        Check(f"each of the {tally.expected:,} reviews came out", len(tally.results) == tally.expected),
        Check("each came out once", tally.doubled == 0),
        Check(f"each of the {len(BAD)} bad records is a dead letter", sorted(tally.dead.elements()) == wanted),
        Check(
            f"between {LEAST_ESCALATED:.0%} and {MOST_ESCALATED:.0%} went on to the transformer",
            LEAST_ESCALATED <= tally.escalated <= MOST_ESCALATED,
        ),
        Check("the cascade is no less accurate than the lexicon alone", cascade >= lexicon_accuracy),
        Check("the pipeline stopped cleanly", exit_code == 0),
    ]


def summary(tally: Tally, alone: dict[str, float]) -> Iterator[str]:
    """Yield the lines of the summary.

    Args:
        tally: what came out.
        alone: accuracy of each model by itself on the same reviews, by its name in the pipeline file.
    """
    whole, count = tally.accuracy()
    yield f"accuracy     cascade {whole:.3f} on {count:,} reviews that no training saw"
    for name, described in (("quick", "lexicon"), ("expert", "transformer")):
        served, share = tally.accuracy(name)
        yield f"             {described:<11} {alone[name]:.3f} alone; {served:.3f} on the {share:,} reviews it answered"
    yield f"escalated    {tally.escalated:.1%} of the reviews went on to the transformer"
    yield f"alerts       {tally.alerts:,} results also went to reviews.alerts"
    yield f"throughput   {tally.throughput():,.0f} reviews/s"
    waits = tally.waits_ms()
    yield "latency      " + "   ".join(f"{part} {_waits(values)}" for part, values in waits.items())
    yield "             the queue is long on purpose: all reviews were published at once"
    yield "dead letters " + ", ".join(f"{bad.what} {bad.code}" for bad in BAD if tally.dead[bad.code])


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of the values lies (nearest rank); 0 when there are none."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else 0.0


def _waits(values: Sequence[float]) -> str:
    return f"p50 {percentile(values, 0.5):,.1f} ms p99 {percentile(values, 0.99):,.1f} ms"
