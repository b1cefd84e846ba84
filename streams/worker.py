"""A worker: one process that opens its group's steps, makes the topics, runs until it is told to stop, and drains."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import uuid4

from headrace.core.errors import HeadraceError
from headrace.core.plan.access import group_access
from headrace.core.plan.plan import Plan
from headrace.core.plan.stages import EGRESS, MAIN, GroupPlan, StagePlan, link_topic
from headrace.streams.access.connection import Connection
from headrace.streams.access.denial import denial
from headrace.streams.access.preflight import refuse_denied
from headrace.streams.bisect import Retries
from headrace.streams.breaker import Place, Quarantine
from headrace.streams.changes import Changes
from headrace.streams.collector import look_less_often
from headrace.streams.control.reader import ControlReader
from headrace.streams.drain import Ending, StuckError, live
from headrace.streams.errors import StrandedError, UnexpectedError
from headrace.streams.gate import Gate
from headrace.streams.health import Health
from headrace.streams.hold import HoldRules
from headrace.streams.join import Joiner
from headrace.streams.live import Live
from headrace.streams.machine import usable_cores
from headrace.streams.meter import Meter
from headrace.streams.observer import Observer
from headrace.streams.offsets import holds_unread, link_lags
from headrace.streams.opening import open_pipe
from headrace.streams.pipe import Pipe
from headrace.streams.response import read_responses_whole
from headrace.streams.stage_clients import REBALANCE_TIMEOUT_MS
from headrace.streams.supervisor.ready import tell_ready
from headrace.streams.topic_facts import TopicFacts
from headrace.streams.topics import ensure_topics, joins_of
from headrace.streams.web import serve
from headrace.streams.worker_parts import WorkerParts

__all__ = ["WorkerSettings", "run_worker"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerSettings:
    """How one worker runs, beside what the plan says.

    Attributes:
        connection: the broker's address.
        group: whose stages it runs.
        name: the worker's name, its identity in the consumer groups across restarts; None takes part unnamed.
        threads: processor threads of a run of a model; None takes every core that this process may use.
        web_port: port for health and metrics; 0 lets the system choose, None serves none.
    """

    connection: Connection
    group: str = MAIN
    name: str | None = None
    web_port: int | None = None
    threads: int | None = None


async def run_worker(plan: Plan, settings: WorkerSettings) -> None:
    """Run until SIGTERM or SIGINT, then drain: every batch in flight ends and is committed.

    Raises:
        HeadraceError: what stops a worker at start or later, in one clear sentence.
        StuckError: it is over, but threads or tasks are left that do not end; the process must not wait for them.
    """
    read_responses_whole()
    group = plan.groups[settings.group]
    health, meter, running, ending = Health(), Meter(plan.pipeline), Live(plan), Ending()
    async with (
        serve(settings.web_port, health, meter) as port,
        _controlled(ControlReader(settings.connection, plan.pipeline)) as control,
    ):
        if port is not None:
            log.info("health and metrics at http://127.0.0.1:%d/readyz", port)
        # The models load while the topics are made: both take seconds, and neither needs the other.
        topics, pipe = await _both(plan, group, settings, meter, running, health=health)
        with _closing(pipe):
            joins = _joins(plan, topics, pipe, meter, running)
            entries = await _entries(plan, group, settings.connection, joins.links)
            instance = settings.name or new_instance()
            changes = Changes(
                plan, group, settings.connection, control=control, live=running, pipe=pipe, instance=instance
            )
            gate = Gate(plan, settings.connection, is_changed=await changes.begin())
            log.info("%s", _sentence(plan, group, topics))
            parts = WorkerParts(
                plan=plan,
                group=group,
                pipe=pipe,
                executor=_executor(pipe),
                connection=settings.connection,
                topics=topics,
                health=health,
                meter=meter,
                live=running,
                gate=gate,
                worker=settings.name,
                instance=instance,
                ending=ending,
                joiner=joins.joiner,
                links=joins.links,
            )
            await _live(parts, entries, changes, ending)


@contextmanager
def _closing(pipe: Pipe) -> Iterator[None]:
    """Close the steps at the end, unless one may be at work still."""
    try:
        yield
    except StuckError:
        raise
    except BaseException:
        pipe.close()
        raise
    else:
        pipe.close()


def _executor(pipe: Pipe) -> ThreadPoolExecutor:
    """Return the one thread that runs all batches."""
    executor = ThreadPoolExecutor(1, thread_name_prefix="steps")
    pipe.use(executor)
    return executor


@asynccontextmanager
async def _controlled(control: ControlReader) -> AsyncIterator[ControlReader]:
    """Close the reader at the end, and give up a broker that is away.

    Raises:
        StuckError: it does not close; the process must not wait for it.
    """
    try:
        yield control
    except HeadraceError as error:
        if not await control.close():
            raise StuckError(error) from None
        raise
    except BaseException:
        await control.close()
        raise
    if not await control.close():
        raise StuckError


async def _live(parts: WorkerParts, entries: tuple[StagePlan, ...], changes: Changes, ending: Ending) -> None:
    from headrace.streams.app import make_app

    parts.health.expect(stage.name for stage in entries)
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, ending.signal)
    following = asyncio.create_task(changes.follow())
    following.add_done_callback(lambda task: _refuse_deaf(task, ending))
    telling = asyncio.create_task(_tell_ready(parts.health))
    try:
        await live(make_app(parts, entries), ending, parts.health, lambda error: denial(error, parts.connection))
    finally:
        for task in (following, telling):
            task.cancel()
        await asyncio.gather(following, telling, return_exceptions=True)
    parts.executor.shutdown()


def _refuse_deaf(following: asyncio.Task[None], ending: Ending) -> None:
    """A worker that no longer hears what is changed must not run on: it would not pause, skip or switch."""
    if not following.cancelled() and (error := following.exception()) is not None:
        if isinstance(error, HeadraceError):
            ending.fail(error)
            return
        fault = f"the control topic is no longer followed: {type(error).__name__}: {error}"
        ending.fail(UnexpectedError(fault, mend="report it with the log"))


async def _tell_ready(health: Health) -> None:
    while not health.is_ready:
        await asyncio.sleep(0.05)
    tell_ready()
    look_less_often()


class _Joins(NamedTuple):
    """What joins egress has to make, and the link that brings the answers where the plan itself has none."""

    joiner: Joiner | None
    links: Mapping[str, str]


def _joins(plan: Plan, topics: Mapping[str, TopicFacts], pipe: Pipe, meter: Meter, live: Live) -> _Joins:
    """Return the joins of a worker: records may wait that an earlier plan sent to several processes."""
    link, state = joins_of(plan.pipeline)
    if state not in topics:
        return _Joins(None, {})
    egress = plan.stage(EGRESS)
    is_left = link in topics and egress is not None and egress.reads is None
    is_cut = HoldRules.of(plan.delivery).cuts
    joiner = None
    if pipe.has_egress:
        joiner = Joiner(
            state,
            meter,
            is_cut=is_cut,
            in_turn=plan.delivery.order == "key",
            skipped=lambda: live.state.skipped_records.get(EGRESS, ()),
        )
    return _Joins(joiner, {EGRESS: link} if is_left else {})


async def _entries(
    plan: Plan, group: GroupPlan, connection: Connection, links: Mapping[str, str]
) -> tuple[StagePlan, ...]:
    """Return the stages that read a topic here: those of the plan, and those whose link an earlier plan left full.

    Raises:
        StrandedError: HR230, a link has records that no stage of this plan reads.
        AccessDeniedError: HR243, a consumer group may not be joined.
    """
    async with Observer(connection, "start", is_wary=True) as observer:
        lags = {stage: lag for stage, lag in (await link_lags(observer, plan.pipeline)).items() if lag}
        joins = (group.app_id, *(stage.consumer_group for stage in group.stages if stage.reads or stage.name in lags))
        await refuse_denied(connection, await observer.client(), joins, group_access(plan, group).rules)
    await _refuse_stranded(plan, connection, {name: lag for name, lag in lags.items() if plan.stage(name) is None})
    left = (stage for stage in group.stages if stage.reads is None and (stage.name in lags or stage.name in links))
    return (*group.entries, *(replace(stage, reads=link_topic(plan.pipeline, stage.name)) for stage in left))


async def _refuse_stranded(plan: Plan, connection: Connection, lags: Mapping[str, int]) -> None:
    for name, lag in lags.items():
        link = link_topic(plan.pipeline, name)
        async with Observer(connection, "links") as observer:
            if not await holds_unread(observer, f"{plan.pipeline}.{name}", link):
                continue  # what lies there was aborted, by a worker that was killed
        raise StrandedError(
            f"{lag} frames wait on {link!r}, and this plan has no stage {name!r}",
            mend="run the file as it was until they are through, then this one",
        )


async def _both(
    plan: Plan, group: GroupPlan, settings: WorkerSettings, meter: Meter, running: Live, *, health: Health
) -> tuple[Mapping[str, TopicFacts], Pipe]:
    # Each step may use its share, so that a batch on which all of them fail still ends before a rebalance does.
    steps = len((*plan.preprocess, *plan.models, *plan.postprocess, *plan.outputs)) + 1
    retries = Retries(
        limit=plan.delivery.retries,
        budget_s=REBALANCE_TIMEOUT_MS / 1000 / 2 / steps,
        quarantine=_quarantine(plan, meter, health),
        waits_for_transient=plan.delivery.slow != "dead_letter",
    )

    def open_steps() -> Pipe:
        return open_pipe(
            plan, group, threads=settings.threads or usable_cores(), retries=retries, meter=meter, live=running
        )

    opening = asyncio.create_task(asyncio.to_thread(open_steps))
    try:
        topics = await ensure_topics(plan, settings.connection)
    except BaseException:
        await asyncio.gather(opening, return_exceptions=True)
        if opening.exception() is None:
            opening.result().close()
        raise
    return topics, await opening


def _quarantine(plan: Plan, meter: Meter, health: Health) -> Quarantine:
    def note(steps: Mapping[Place, str]) -> None:
        meter.quarantined(steps.keys())
        health.quarantined = steps

    return Quarantine(plan.delivery.quarantine, on_change=note)


def _sentence(plan: Plan, group: GroupPlan, topics: Mapping[str, TopicFacts]) -> str:
    if len(plan.groups) > 1:
        stages = ", ".join(stage.name for stage in group.stages)
        return f"plan {plan.hash}: group {group.name} runs {stages}; Ctrl-C drains and stops"
    outputs = ", ".join(output.name for output in plan.outputs)
    return (
        f"plan {plan.hash}: reading {plan.input.topic} ({topics[plan.input.topic].partitions} partitions), "
        f"results to {outputs}, dead letters to {plan.dead_topic}; Ctrl-C drains and stops"
    )


def new_instance() -> str:
    """Return what tells an unnamed worker from others."""
    return f"worker-{uuid4().hex[:8]}"
