"""How many processor threads a run of a model may use: the cores that there are, shared among the workers on them.

Threads beyond the cores only get into each other's way, so workers that are started together share. Everything else of
a worker has one thread each: Kafka and codecs, the steps, the tokenizer. None of them spins while it waits.
"""

from __future__ import annotations

from typing import NamedTuple

from headrace.core.plan.plan import Plan
from headrace.streams.machine import usable_cores

__all__ = ["THREADS", "ThreadPlan", "threads_of"]

THREADS = "HEADRACE_THREADS"
"""The variable that says how many; `headrace run FILE` sets it for its children."""


class ThreadPlan(NamedTuple):
    """Threads of a run of a model in each worker, and why so many.

    Attributes:
        cores: that this process may use.
        workers: that share them and run models.
        threads: of each run.
        reason: for people.
    """

    cores: int
    workers: int
    threads: int
    reason: str


def threads_of(plan: Plan, asked: int | None = None, cores: int | None = None) -> ThreadPlan:
    """Return the threads of each worker when `headrace run FILE` starts all of them on this machine.

    Args:
        plan: its groups, with their replicas.
        asked: threads that the operator asked for; None shares the cores.
        cores: that there are; those that this process may use, unless given.
    """
    found = usable_cores() if cores is None else cores
    groups = plan.groups.values()
    workers = sum(group.replicas for group in groups if any(stage.kind == "model" for stage in group.stages))
    if asked is not None:
        return ThreadPlan(found, workers, asked, f"as --threads or {THREADS} asks")
    threads = max(1, found // max(1, workers))
    here = f"{found} core{'' if found == 1 else 's'} that this process may use"
    shared = here if workers <= 1 else f"{here}, shared by {workers} workers with models"
    return ThreadPlan(found, workers, threads, shared)
