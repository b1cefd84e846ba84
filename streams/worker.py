"""A worker: one process that opens the steps, makes the topics, runs the app until it is told to stop, and drains."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.core.errors import HeadraceError
from headrace.core.plan.plan import Plan
from headrace.streams.bisect import Retries
from headrace.streams.errors import NotDrainedError, UnexpectedError
from headrace.streams.health import Health
from headrace.streams.machine import usable_cores
from headrace.streams.meter import Meter
from headrace.streams.pipe import Pipe, open_pipe
from headrace.streams.stage import REBALANCE_TIMEOUT_MS, StageParts
from headrace.streams.topics import TopicFacts, ensure_topics
from headrace.streams.web import serve

__all__ = ["WorkerSettings", "run_worker"]

log = logging.getLogger(__name__)

START_S = 5.0  # connecting and joining take one or two, if the broker is there
DRAIN_S = 25.0  # a batch takes at most half of a rebalance's 30 s; Kubernetes kills after 30 s


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


async def run_worker(plan: Plan, settings: WorkerSettings) -> None:
    """Run until SIGTERM or SIGINT, then drain: every batch in flight ends and is committed.

    Raises:
        NotDrainedError: HR411, batches in flight did not end; neither will the tasks of this event loop, so the
            process must not wait for them.
        HeadraceError: anything else that stops a worker at start or later, in one clear sentence.
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
        hurry = _on_signals(ending)
        app = make_app(parts)
        try:
            await _until(app, ending)
        finally:
            health.stopping()
            await _drain(app, hurry)
            pipe.close()
    log.info("stopped: every batch in flight was delivered and committed")


async def _both(plan: Plan, settings: WorkerSettings, meter: Meter) -> tuple[Mapping[str, TopicFacts], Pipe]:
    # Each step may use its share, so that a batch on which all of them fail still ends before a rebalance does.
    steps = len((*plan.preprocess, *plan.models, *plan.postprocess, *plan.outputs)) + 1
    retries = Retries(limit=plan.delivery.retries, budget_s=REBALANCE_TIMEOUT_MS / 1000 / 2 / steps)

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
    if not starting.done():  # told to end already; but what has started half-way cannot be stopped cleanly
        await asyncio.wait({starting}, timeout=START_S)
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


async def _drain(app: Any, hurry: asyncio.Event) -> None:
    """Stop the app: its batches in flight end first, if they do.

    Raises:
        NotDrainedError: HR411, they do not, or nobody wants to wait for them.
    """
    stopping, impatience = asyncio.create_task(app.stop()), asyncio.create_task(hurry.wait())
    await asyncio.wait({stopping, impatience}, timeout=DRAIN_S, return_when=asyncio.FIRST_COMPLETED)
    impatience.cancel()
    if stopping.done():
        stopping.result()
        return
    why = "it was told to hurry" if hurry.is_set() else f"they did not end within {DRAIN_S:g} s"
    raise NotDrainedError(
        f"stopped before the batches in flight had ended: {why}", mend="nothing is lost, they will be read again"
    )


def _on_signals(ending: asyncio.Future[None]) -> asyncio.Event:
    """Let SIGTERM and Ctrl-C end the worker; return the event of a second one, which makes it hurry."""
    hurry = asyncio.Event()

    def end() -> None:
        if ending.done():
            hurry.set()
        else:
            log.info("stopping: the batches in flight end first")
            ending.set_result(None)

    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, end)
    return hurry
