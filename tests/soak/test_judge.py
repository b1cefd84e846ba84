"""The judge of long runs sees growth that is planted, and lets what is flat pass."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.soak.judge import Look, bars, rows
from tests.soak.sample import Sample, sample

LENGTH_S, EVERY_S = 3600.0, 10
FLAT = Sample(300.0, 250.0, 60, 20)
Planted = Callable[[float], Look]


def missed(at: Planted) -> list[str]:
    """What the judge holds against a run that looks like this."""
    looks = [at(float(second)) for second in range(0, int(LENGTH_S), EVERY_S)]
    return [bar.name for bar in bars(looks, LENGTH_S) if not bar.is_met]


def flat(at_s: float) -> Look:
    """Noise of a megabyte, a start that grows, and an outage in the middle, without results and with fewer handles."""
    is_away = LENGTH_S / 2 <= at_s < LENGTH_S / 2 + 600
    start_mb = min(0.0, at_s / 10 - 60)
    worker = FLAT._replace(rss_mb=FLAT.rss_mb + start_mb + at_s % 30 / 30, handles=40 if is_away else 60)
    return Look(at_s, {"front": worker, "main": FLAT}, [] if is_away else [20.0] * 98 + [60.0 + at_s % 20] * 2)


def growing(name: str, per_hour: float) -> Planted:
    """A run in which one measure of one worker grows all the time."""

    def at(at_s: float) -> Look:
        look = flat(at_s)
        worker = look.workers["main"]
        more = type(getattr(worker, name))(per_hour * at_s / LENGTH_S)
        grown = worker._replace(**{name: getattr(worker, name) + more})
        return look._replace(workers={**look.workers, "main": grown})

    return at


def slower(share: slice, factor: float) -> Planted:
    """A run whose latencies rise after the outage."""

    def at(at_s: float) -> Look:
        look = flat(at_s)
        latencies = [*look.latencies_ms]
        if at_s > LENGTH_S / 2:
            latencies[share] = [one * factor for one in latencies[share]]
        return look._replace(latencies_ms=latencies)

    return at


def test_a_flat_run_passes() -> None:
    assert missed(flat) == []


@pytest.mark.parametrize(
    ("at", "name"),
    [
        (growing("rss_mb", 60.0), "main: RSS"),
        (growing("pss_mb", 60.0), "main: PSS"),
        (growing("handles", 3), "main: handles"),
        (growing("threads", 3), "main: threads"),
        (slower(slice(0, 98), 2.0), "latency p50"),
        (slower(slice(98, 100), 2.0), "latency p99"),
    ],
)
def test_planted_growth_is_seen_and_named(at: Planted, name: str) -> None:
    assert missed(at) == [name]


def test_one_bad_moment_is_not_growth() -> None:
    def at(at_s: float) -> Look:
        spike = Sample(900.0, 900.0, 99, 99)
        return Look(at_s, {"front": spike, "main": spike}, [5_000.0]) if at_s in (1_000, 3_000) else flat(at_s)

    assert missed(at) == []


def test_results_that_no_longer_come_are_the_worst_latency() -> None:
    assert missed(lambda at_s: flat(at_s)._replace(latencies_ms=[] if at_s > LENGTH_S / 2 else [20.0])) == [
        "latency p50",
        "latency p99",
    ]


def test_a_worker_that_is_gone_is_not_flat() -> None:
    def at(at_s: float) -> Look:
        look = flat(at_s)
        return look if at_s < LENGTH_S / 2 else look._replace(workers={"front": look.workers["front"]})

    assert [name for name in missed(at) if name.startswith("main")] == [
        f"main: {measure}" for measure in ("RSS", "PSS", "handles", "threads")
    ]


def test_too_few_looks_judge_nothing() -> None:
    looks = [flat(LENGTH_S / 4 + 1), flat(LENGTH_S - 1)]
    assert [bar.name for bar in bars(looks, LENGTH_S) if not bar.is_met] == ["looks in a quarter"]
    assert rows(looks, LENGTH_S) == []


def test_a_process_is_looked_at() -> None:
    before = sample(os.getpid())
    held = [open(os.devnull) for _ in range(7)]  # noqa: SIM115 - they are what is counted
    after = sample(os.getpid())
    for one in held:
        one.close()
    assert after.handles - before.handles == 7
    assert before.rss_mb > before.pss_mb > 1 or before.rss_mb == before.pss_mb
    assert before.threads >= 1
