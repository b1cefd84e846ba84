"""The runs that are made again and again: a short set for every change, and a long one for a release."""

from __future__ import annotations

from tests.chaos.run import Settings
from tests.chaos.schedule import Kind

__all__ = ["FULL_SEEDS", "GUARANTEES", "SEED", "full", "usual"]

SEED = 7
FULL_SEEDS = (1, 2, 3)
GUARANTEES = ("at_least_once", "exactly_once")
_NEEDS_ROOT = (Kind.DISK,)


def usual(seed: int = SEED) -> tuple[Settings, ...]:
    """Return 25 faults in two runs: one process, and three groups that keep keys in order; each guarantee has one."""
    kinds = tuple(kind for kind in Kind if kind not in _NEEDS_ROOT)
    return (
        Settings(seed, 12, 4_000, 1, "at_least_once", kinds),
        Settings(seed + 1, 13, 4_000, 3, "exactly_once", kinds, order="key"),
    )


def full() -> tuple[Settings, ...]:
    """Return 100 faults and 100,000 records for each guarantee and seed, half in one process and half in three."""
    return tuple(
        Settings(seed, 50, 50_000, groups, guarantee, tuple(Kind), least=3, pace_ms=4.0)
        for guarantee in GUARANTEES
        for seed in FULL_SEEDS
        for groups in (1, 3)
    )
