"""Commits are made when they are due, also while the record loop waits for something else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from aiokafka.errors import KafkaConnectionError

from headrace.streams.at_least_once import AtLeastOnce
from headrace.streams.commit import Committer
from headrace.streams.commit_timer import CommitTimer


class Broker:
    """Takes the commits of one delivery, which are to be 50 ms apart."""

    def __init__(self) -> None:
        self.commits: list[tuple[float, dict[str, int]]] = []
        self.fault: Exception | None = None
        self.committed = asyncio.Event()
        self.delivery = AtLeastOnce(None, Committer(self._commit, lambda: frozenset({"a"}), 50))  # type: ignore[arg-type]  # sends nothing
        self.timer = CommitTimer(self.delivery, self.delivery.commit)

    def note(self, offset: int) -> None:
        self.delivery.note({"a": offset})
        self.timer.noted()

    async def _commit(self, offsets: Mapping[str, int]) -> None:
        self.committed.set()
        if self.fault:
            raise self.fault
        self.commits.append((time.monotonic(), dict(offsets)))


@asynccontextmanager
async def running() -> AsyncIterator[Broker]:
    broker = Broker()
    broker.timer.start()
    try:
        yield broker
    finally:
        broker.timer.stop()


async def _next(broker: Broker) -> None:
    async with asyncio.timeout(20):
        await broker.committed.wait()
    broker.committed.clear()


async def test_the_first_commit_is_made_at_once_and_the_next_one_when_it_is_due() -> None:
    async with running() as broker:
        broker.note(1)
        await _next(broker)
        broker.note(2)
        broker.note(3)
        await _next(broker)
    (first, one), (second, two) = broker.commits
    assert (one, two) == ({"a": 1}, {"a": 3})
    assert second - first >= 0.045


async def test_nothing_is_committed_where_nothing_is_to_commit() -> None:
    async with running() as broker:
        broker.timer.noted()
        await asyncio.sleep(0.01)
        assert broker.commits == []
        broker.note(1)
        await _next(broker)
    assert [offsets for _, offsets in broker.commits] == [{"a": 1}]


async def test_a_commit_that_fails_is_told_once_and_the_next_one_is_made() -> None:
    async with running() as broker:
        broker.fault = KafkaConnectionError("gone")
        broker.note(1)
        await _next(broker)
        await asyncio.sleep(0)
        with pytest.raises(KafkaConnectionError, match="gone"):
            broker.timer.raise_failed()
        broker.timer.raise_failed()
        broker.fault = None
        broker.note(1)
        await _next(broker)
    assert [offsets for _, offsets in broker.commits] == [{"a": 1}]


async def test_after_the_stop_nothing_is_committed() -> None:
    async with running() as broker:
        pass
    broker.note(1)
    await asyncio.sleep(0.01)
    assert broker.commits == []
