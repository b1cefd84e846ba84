"""A worker: one process that opens the steps, makes the topics, runs the app until it is told to stop, and drains."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Mapping
from dataclasses import dataclass

from headrace.core.plan.plan import Plan
from headrace.streams.bisect import Retries
from headrace.streams.drain import Ending, StuckError, live
from headrace.streams.health import Health
from headrace.streams.machine import usable_cores
from headrace.streams.meter import Meter
from headrace.streams.pipe import Pipe, open_pipe
from headrace.streams.stage import REBALANCE_TIMEOUT_MS, StageParts
from headrace.streams.topics import TopicFacts, ensure_topics
from headrace.streams.web import serve

__all__ = ["WorkerSettings", "run_worker"]

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


async def run_worker(plan: Plan, settings: WorkerSettings) -> None:
    """Run until SIGTERM or SIGINT, then drain: every batch in flight ends and is committed.

    Raises:
        HeadraceError: what stops a worker at start or later, in one clear sentence.
        StuckError: it is over, but threads or tasks are left that do not end; the process must not wait for them.
    """
    from headrace.streams.app import make_app

    health, meter = Health(), Meter(plan.pipeline)
    ending = Ending()
    async with serve(settings.web_port, health, meter) as port:
        if port is not None:
            log.info("health and metrics at http://127.0.0.1:%d/readyz", port)
        # The models load while the topics are made: both take seconds, and neither needs the other.
        topics, pipe = await _both(plan, settings, meter)
        log.info("%s", _sentence(plan, topics[plan.input.topic].partitions))
        parts = StageParts(plan, pipe, settings.bootstrap, topics, health, meter, settings.name, ending)
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, ending.signal)
        try:
            await live(make_app(parts), ending, health)
        except StuckError:
            raise  # a step may be at work still
        except BaseException:
            pipe.close()
            raise
        pipe.close()


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
