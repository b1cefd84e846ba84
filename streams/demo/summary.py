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
    whole, _ = tally.accuracy()
    return [
        Check(f"each of the {tally.expected:,} reviews came out", len(tally.results) == tally.expected),
        Check("each came out once", tally.doubled == 0),
        Check(f"each of the {len(bad)} bad records is a dead letter", sorted(tally.dead.elements()) == wanted),
        Check(
            f"between {LEAST_ESCALATED:.0%} and {MOST_ESCALATED:.0%} went on to the transformer",
            LEAST_ESCALATED <= tally.escalated <= MOST_ESCALATED,
        ),
        Check("the pipeline is no less accurate than the lexicon alone", whole >= lexicon_accuracy),
        Check("the pipeline stopped cleanly", exit_code == 0),
        *_experiment_checks(tally),
    ]


def _experiment_checks(tally: Tally) -> Iterator[Check]:
    tags = tally.tags()
    if tags:
        tagged = sum(len(ids) for variants in tags.values() for ids in variants.values())
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
    way = "both variants" if tally.tags() else "cascade"
    yield f"accuracy     {way} {whole:.3f} on {count:,} reviews that no training saw"
    for name, described in (("quick", "lexicon"), ("expert", "transformer")):
        served, share = tally.accuracy(name)
        yield f"             {described:<11} {alone[name]:.3f} alone; {served:.3f} on the {share:,} reviews it answered"
    yield f"escalated    {tally.escalated:.1%} of the reviews went on from the lexicon to the transformer"
    yield f"alerts       {tally.alerts:,} results also went to reviews.alerts"
    yield f"throughput   {tally.throughput():,.0f} reviews/s"
    for at, (part, values) in enumerate(tally.waits_ms().items()):
        why = "   (all reviews were published at once)" if part == "queue" else ""
        p50, p99 = _time(percentile(values, 0.5)), _time(percentile(values, 0.99))
        yield f"{'' if at else 'latency':<12} {part:<8} p50 {p50:>8}   p99 {p99:>8}{why}"
    yield from _by_variant(tally)
    yield "dead letters " + ", ".join(f"{each.what} {each.code}" for each in bad if tally.dead[each.code])


def _by_variant(tally: Tally) -> Iterator[str]:
    """Yield a table for each experiment and phase: what its variants got and gave, side by side."""
    for (experiment, phase), variants in tally.tags().items():
        yield f"{'experiment':<12} {experiment}, phase {phase}"
        names = ("variant", *variants)
        wide = max(map(len, names))
        yield f"{'':<12} {'variant':<{wide}}   tags   share  users  accuracy  transformer  compute p50      p99"
        for name, ids in variants.items():
            compute = [_compute_ms(tally.results[key]) for key in ids]
            users = len({tally.results[key]["unit"] for key in ids})
            yield (
                f"{'':<12} {name:<{wide}} {len(ids):>6,} {len(ids) / len(tally.results):>7.1%} {users:>6,} "
                f"{tally.variant_accuracy(ids):>9.3f} {tally.served(ids, 'expert'):>12.1%} "
                f"{_time(percentile(compute, 0.5)):>12} {_time(percentile(compute, 0.99)):>8}"
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
