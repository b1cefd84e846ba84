"""A worker: one process that opens the steps, makes the topics, runs the app until it is told to stop, and drains."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.core.errors import HeadraceError
from headrace.core.plan.plan import Plan
from headrace.streams.bisect import Retries
from headrace.streams.errors import UnexpectedError
from headrace.streams.health import Health
from headrace.streams.meter import Meter
from headrace.streams.pipe import Pipe, open_pipe
from headrace.streams.stage import REBALANCE_TIMEOUT_MS, StageParts
from headrace.streams.topics import TopicFacts, ensure_topics
from headrace.streams.web import serve

__all__ = ["WorkerSettings", "run_worker", "usable_cores"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerSettings:
    """How one worker runs, beside what the plan says.

    Attributes:
        bootstrap: the broker's address.
        name: the worker's name, its identity in the consumer group across restarts; None takes part unnamed.
        web_port: port for health and metrics; 0 lets the system choose, None serves none.
    """

    bootstrap: str
    name: str | None = None
    web_port: int | None = None


def usable_cores() -> int:
    """Return the processor cores this process may use."""
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


async def run_worker(plan: Plan, settings: WorkerSettings) -> None:
    """Run until SIGTERM or SIGINT, then drain: every batch in flight ends and is committed.

    Raises:
        HeadraceError: what stops a worker at start or later, in one clear sentence.
    """
    from headrace.streams.app import make_app

    health, meter = Health(), Meter(plan.pipeline)
    ending: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    async with serve(settings.web_port, health, meter) as port:
        if port is not None:
            log.info("health and metrics at http://127.0.0.1:%d/readyz", port)
        # The models load while the topics are made: both take seconds, and neither needs the other.
        topics, pipe = await _both(plan, settings, meter)
        log.info("%s", _sentence(plan, topics[plan.input.topic].partitions))
        parts = StageParts(plan, pipe, settings.bootstrap, topics, health, meter, settings.name, _fail_into(ending))
        _on_signals(ending)
        app = make_app(parts)
        try:
            await _until(app, ending)
        finally:
            health.stopping()
            await app.stop()
            pipe.close()
    log.info("stopped: every batch in flight was delivered and committed")


async def _both(plan: Plan, settings: WorkerSettings, meter: Meter) -> tuple[Mapping[str, TopicFacts], Pipe]:
    retries = Retries(limit=plan.delivery.retries, budget_s=REBALANCE_TIMEOUT_MS / 1000 / 2)

    def open_steps() -> Pipe:
        return open_pipe(plan, threads=usable_cores(), retries=retries, meter=meter)

    opening = asyncio.create_task(asyncio.to_thread(open_steps))
    try:
        topics = await ensure_topics(plan, settings.bootstrap)
    except BaseException:
        await asyncio.gather(opening, return_exceptions=True)
        if opening.exception() is None:
            opening.result().close()
        raise
    return topics, await opening


def _sentence(plan: Plan, partitions: int) -> str:
    outputs = ", ".join(output.name for output in plan.outputs)
    return (
        f"plan {plan.hash}: reading {plan.input.topic} ({partitions} partitions), results to {outputs}, "
        f"dead letters to {plan.dead_topic}; Ctrl-C drains and stops"
    )


async def _until(app: Any, ending: asyncio.Future[None]) -> None:
    """Start the app and wait for a signal, a failure of the stage, or a crash of Faust's own services."""
    starting = asyncio.create_task(app.start())
    await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        starting.result()
    crashed = asyncio.create_task(_crash_of(app))
    await asyncio.wait({crashed, ending}, return_when=asyncio.FIRST_COMPLETED)
    if ending.done():
        crashed.cancel()
        ending.result()
        return
    crashed.result()


async def _crash_of(app: Any) -> None:
    await app.wait_until_stopped()  # stopped by itself means crashed
    reason = getattr(app, "crash_reason", None)
    raise UnexpectedError(f"Faust stopped: {reason!r}", mend="look at the log above, then start again")


def _fail_into(ending: asyncio.Future[None]) -> Callable[[HeadraceError], None]:
    def fail(error: HeadraceError) -> None:
        if not ending.done():
            ending.set_exception(error)

    return fail


def _on_signals(ending: asyncio.Future[None]) -> None:
    def end() -> None:
        if not ending.done():
            log.info("stopping: the batches in flight end first")
            ending.set_result(None)

    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, end)
