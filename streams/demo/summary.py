"""How the demo ends: what came out, what it is worth, and whether all that was promised holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from headrace.streams.demo.scene import Bad
from headrace.streams.demo.tally import Tally

__all__ = ["Check", "checks", "percentile", "summary"]

LEAST_ESCALATED, MOST_ESCALATED = 0.10, 0.90


class Check(NamedTuple):
    """A promise of the demo, and whether it was kept."""

    promise: str
    is_kept: bool


def checks(tally: Tally, bad: Sequence[Bad], lexicon_accuracy: float, exit_code: int) -> list[Check]:
    """Return the promises that decide the demo's exit status."""
    wanted = sorted(each.code for each in bad)
    cascade, _ = tally.accuracy()
    return [
        Check(f"each of the {tally.expected:,} reviews came out", len(tally.results) == tally.expected),
        Check("each came out once", tally.doubled == 0),
        Check(f"each of the {len(bad)} bad records is a dead letter", sorted(tally.dead.elements()) == wanted),
        Check(
            f"between {LEAST_ESCALATED:.0%} and {MOST_ESCALATED:.0%} went on to the transformer",
            LEAST_ESCALATED <= tally.escalated <= MOST_ESCALATED,
        ),
        Check("the cascade is no less accurate than the lexicon alone", cascade >= lexicon_accuracy),
        Check("the pipeline stopped cleanly", exit_code == 0),
        *_experiment_checks(tally),
    ]


def _experiment_checks(tally: Tally) -> Iterator[Check]:
    variants = tally.variants()
    if variants:
        tagged = sum(len(ids) for ids in variants.values())
        yield Check("each result says which variant it met", tagged == len(tally.results))
        yield Check("each user met one variant only", tally.torn_units == 0)


def summary(tally: Tally, bad: Sequence[Bad], alone: dict[str, float]) -> Iterator[str]:
    """Yield the lines of the summary.

    Args:
        tally: what came out.
        bad: the records that had to become dead letters.
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
    for at, (part, values) in enumerate(tally.waits_ms().items()):
        why = "   (all reviews were published at once)" if part == "queue" else ""
        p50, p99 = _time(percentile(values, 0.5)), _time(percentile(values, 0.99))
        yield f"{'' if at else 'latency':<12} {part:<8} p50 {p50:>8}   p99 {p99:>8}{why}"
    yield from _by_variant(tally)
    yield "dead letters " + ", ".join(f"{each.what} {each.code}" for each in bad if tally.dead[each.code])


def _by_variant(tally: Tally) -> Iterator[str]:
    variants = tally.variants()
    for at, (name, ids) in enumerate(variants.items()):
        compute = [_compute_ms(tally.results[key]) for key in ids]
        share = len(ids) / max(1, len(tally.results))
        users = len({tally.results[key]["unit"] for key in ids})
        yield (
            f"{'' if at else 'variants':<12} {name:<10} {share:>5.1%} of all: {len(ids):,} tags, {users} users; "
            f"accuracy {tally.variant_accuracy(ids):.3f}, compute p50 {_time(percentile(compute, 0.5))}"
        )


def _compute_ms(value: Mapping[str, Any]) -> float:
    timings = value["timings"]
    return float(timings["preprocess"] + timings["inference"] + timings["postprocess"])


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of the values lies (nearest rank); 0 when there are none."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else 0.0


def _time(ms: float) -> str:
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"
