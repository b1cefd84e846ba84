"""Transactions on the real Kafka: what appears together, who is shut out, and what an error leaves behind.

Each guard here holds against a trap that was met in trials of the engine; its test says which.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from headrace.core.record import Outgoing
from headrace.streams.broker import Running
from headrace.streams.transactions import Transactions
from tests.support.client import Client, until

pytestmark = pytest.mark.broker


class Stage:
    """A topic that is read, one that is written, and as many owners of their transactions as a test wants."""

    def __init__(self, client: Client, name: str) -> None:
        self.client, self.source, self.out, self.group = client, f"{name}-in", f"{name}-out", f"{name}.ingress"
        self.tps = [TopicPartition(self.source, number) for number in (0, 1)]
        self.owners: list[Transactions] = []
        client.make_topic(self.source, 2)
        client.make_topic(self.out)

    async def owner(self, *numbers: int) -> Transactions:
        """Return transactions of these partitions, begun anew."""
        owner = Transactions(self._producer, self.group)
        self.owners.append(owner)
        await owner.renew([self.tps[number] for number in numbers])
        return owner

    async def send(self, owner: Transactions, value: bytes, number: int = 0) -> None:
        await (await owner.send(self.tps[number], Outgoing(self.out, None, value)))

    async def results(self, count: int) -> list[bytes | None]:
        """Return what a reader of what is committed sees: as soon as there are so many, but not before the end."""
        await asyncio.to_thread(until, "results", lambda: len(self.client.all(self.out)) >= count)
        return [seen.value for seen in await asyncio.to_thread(self.client.all, self.out)]

    async def committed(self) -> dict[int, int]:
        return await asyncio.to_thread(self.client.committed, self.group, self.source)

    def _producer(self, id: str) -> AIOKafkaProducer:
        return AIOKafkaProducer(bootstrap_servers=self.client.bootstrap, acks="all", transactional_id=id)


@pytest.fixture
async def stage(kafka: Running, topic: Callable[..., str]) -> AsyncIterator[Stage]:
    made = Stage(Client(kafka.bootstrap), topic())
    yield made
    for owner in made.owners:
        await owner.close()


async def test_results_and_the_offset_appear_together(stage: Stage) -> None:
    owner = await stage.owner(0)
    await stage.send(owner, b"a")
    await stage.send(owner, b"b")
    assert (await stage.results(0), await stage.committed()) == ([], {})
    await owner.commit({stage.tps[0]: 2})
    assert (await stage.results(2), await stage.committed()) == ([b"a", b"b"], {0: 2})


async def test_an_offset_is_committed_without_any_result(stage: Stage) -> None:
    owner = await stage.owner(0)
    await owner.commit({stage.tps[0]: 7})
    assert (await stage.results(0), await stage.committed()) == ([], {0: 7})


async def test_each_partition_that_is_read_has_a_transaction_of_its_own(stage: Stage) -> None:
    owner = await stage.owner(0, 1)
    await stage.send(owner, b"of the first", 0)
    await stage.send(owner, b"of the second", 1)
    await owner.commit({stage.tps[0]: 1})
    assert await stage.committed() == {0: 1}
    await owner.commit({stage.tps[1]: 1})
    assert await stage.results(2) == [b"of the first", b"of the second"]


async def test_whoever_takes_a_partition_over_shuts_the_owner_before_out(stage: Stage) -> None:
    """Trap 1: offsets read before the producers are made anew may still move, by a commit of the owner before."""
    before = await stage.owner(0)
    await stage.send(before, b"by the one before")
    after = await stage.owner(0)
    assert await stage.committed() == {}, "from here on it cannot change but by the new owner"
    with pytest.raises(KafkaError):
        await before.commit({stage.tps[0]: 1})
    await stage.send(after, b"by the new one")
    await after.commit({stage.tps[0]: 1})
    assert (await stage.results(1), await stage.committed()) == ([b"by the new one"], {0: 1})


async def test_what_an_error_interrupted_is_not_published_by_the_next_commit(stage: Stage) -> None:
    """Trap 2: after an error that aiokafka calls abortable, its abort_transaction() sends nothing to the broker."""
    owner = await stage.owner(0)
    await stage.send(owner, b"to be aborted")
    manager = owner._producers[stage.tps[0]]._txn_manager
    manager.error_transaction(TopicAuthorizationFailedError(stage.out))  # as aiokafka does when the broker says so
    with pytest.raises(KafkaError):
        await owner.commit({stage.tps[0]: 1})
    await owner.renew(stage.tps[:1])
    await stage.send(owner, b"after it")
    await owner.commit({stage.tps[0]: 1})
    assert await stage.results(1) == [b"after it"]


async def test_a_transaction_of_someone_who_is_shut_out_fails_as_the_broker_s_errors_do(stage: Stage) -> None:
    """Trap 5: aiokafka says it by AssertionError as well, which the loop would take for a fault of ours."""
    before = await stage.owner(0)
    await stage.send(before, b"a")
    await stage.owner(0)
    for _ in range(3):
        with pytest.raises(KafkaError):
            await before.commit({stage.tps[0]: 1})
    with pytest.raises(KafkaError):
        await stage.send(before, b"b")
    with pytest.raises(KafkaError, match="no longer read here"):
        await before.commit({stage.tps[1]: 1})


async def test_a_broker_that_is_away_is_said_and_leaves_nothing_behind(stage: Stage) -> None:
    tasks = asyncio.all_tasks()
    away = Transactions(lambda id: _nowhere(), stage.group)
    with pytest.raises(KafkaError):
        await away.renew(stage.tps)
    await away.close()
    assert asyncio.all_tasks() == tasks


def _nowhere() -> Any:
    return AIOKafkaProducer(bootstrap_servers="127.0.0.1:1", transactional_id="x")
