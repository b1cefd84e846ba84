"""Publish a source to a pipeline's input: topics made, window kept, pace held, everything counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from headrace.core.errors import HeadraceError
from headrace.core.plan.plan import Plan
from headrace.streams.access.admin import admin
from headrace.streams.access.connection import Connection
from headrace.streams.client.parcel import Parcel
from headrace.streams.client.publisher import Publisher, publishing
from headrace.streams.errors import BrokerUnreachableError, TopicMissingError
from headrace.streams.topic_facts import describe
from headrace.streams.topics import ensure_topics

__all__ = ["Job", "Report", "publish"]

_STOP_S = 10.0


@dataclass(frozen=True)
class Job:
    """What to publish where.

    Attributes:
        plan: the pipeline; its topics are made as it says.
        connection: the broker's address.
        topic: another topic than the pipeline's input, which must exist; None for the input.
        rate: messages a second at most; None for as fast as the broker takes them.
    """

    plan: Plan
    connection: Connection
    topic: str | None = None
    rate: float | None = None


@dataclass
class Report:
    """What became of the messages.

    `sent` are acknowledged; `refused` says how many are not on the topic, by reason; `failure` ended it all before the
    end of the source.
    """

    topic: str
    sent: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    without_key: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    failure: HeadraceError | None = None


async def publish(
    job: Job, source: Iterator[list[Parcel]], stop: asyncio.Event, on_progress: Callable[[int], None]
) -> Report:
    """Publish until the source ends, or `stop` is set and it ends; wait for the acknowledgements, and report.

    Args:
        job: what to publish where.
        source: the messages; it may block, and is read in a thread.
        stop: set to send nothing more.
        on_progress: told how many messages are acknowledged.

    Raises:
        HeadraceError: HR201 and HR211 to HR214, before anything is sent.
    """
    topic = job.topic or job.plan.input.topic
    limit_bytes = await _limit_bytes(job, topic)
    report, began = Report(topic), time.monotonic()
    async with publishing(job.connection, topic, limit_bytes=limit_bytes) as publisher:
        try:
            async for parcel in _paced(source, stop, job.rate):
                await publisher.send(parcel)
                report.without_key += parcel.key is None
                on_progress(publisher.acknowledged)
                if publisher.is_broken:
                    break
        except HeadraceError as error:
            report.failure = error
        report.interrupted = stop.is_set()
        await _drain(publisher, report)
        report.failure = report.failure or publisher.denied
        report.sent, report.refused = publisher.acknowledged, dict(publisher.refused)
    report.seconds = time.monotonic() - began
    return report


async def _limit_bytes(job: Job, topic: str) -> int:
    """Make the pipeline's topics and return what the topic takes; one that is not the pipeline's is only looked at."""
    if job.topic is None:
        return (await ensure_topics(job.plan, job.connection))[topic].max_message_bytes
    async with admin(job.connection) as client:
        there = await describe(client, [topic])
    if topic not in there:
        raise TopicMissingError(f"no topic {topic!r}", mend="create it; only the pipeline's own topics are made")
    return there[topic].max_message_bytes


async def _paced(source: Iterator[list[Parcel]], stop: asyncio.Event, rate: float | None) -> AsyncIterator[Parcel]:
    began, count = time.monotonic(), 0
    while (chunk := await asyncio.to_thread(next, source, None)) is not None:
        for parcel in chunk:
            early_s = began + count / rate - time.monotonic() if rate else 0
            if early_s > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), early_s)
            if stop.is_set():
                return
            yield parcel
            count += 1


async def _drain(publisher: Publisher, report: Report) -> None:
    """Wait for what is on its way; who said stop does not want to wait long, and a silent broker was waited for."""
    if isinstance(report.failure, BrokerUnreachableError):
        return
    try:
        await asyncio.wait_for(publisher.drain(), _STOP_S if report.interrupted else None)
    except TimeoutError:
        pass
    except HeadraceError as error:
        report.failure = report.failure or error
