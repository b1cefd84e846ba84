"""A batch delivered exactly once on the real Kafka: whole or not at all, also when a topic refuses a part of it."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from headrace.core.record import Outgoing, Position
from headrace.core.wire.dead import Failure
from headrace.streams.access.admin import admin
from headrace.streams.access.connection import Connection
from headrace.streams.broker import Running
from headrace.streams.dead_letter import DeadLetters
from headrace.streams.delivery import ReadAgainError
from headrace.streams.exactly_once import ExactlyOnce
from headrace.streams.flight import Flight
from headrace.streams.hold import Held
from headrace.streams.link import Shipment
from headrace.streams.outcome import Outcome
from headrace.streams.postbag import Postbag
from headrace.streams.slot import Slot
from headrace.streams.topic_facts import describe
from headrace.streams.transactions import Transactions
from tests.support.client import Client, Seen, until
from tests.support.made import message
from tests.support.planned import compiled

pytestmark = pytest.mark.broker

LIMIT = 4_000
TRANSACTIONS = 100
FAILURE = Failure(code="HR501", error="E", kind="author", message="m", stage="ingress", plugin="onnx")


class Bench:
    """One partition that is read, an output and dead letters, and a delivery between them."""

    def __init__(self, client: Client, name: str, folder: Path) -> None:
        self.client, self.name, self.out, self.dead = client, name, f"{name}.out", f"{name}.dead"
        self.tp = TopicPartition(name, 0)
        self.at = 0
        client.make_topic(name)
        client.make_topic(self.out, max_message_bytes=str(LIMIT))
        client.make_topic(self.dead, max_message_bytes=str(2 * LIMIT))
        self._plan = compiled(
            folder,
            pipeline=name,
            input={"topic": name, "text": "text"},
            output=[{"topic": {"name": self.out}}],
        )
        self.transactions = Transactions(self._producer, f"{name}.ingress")
        self.delivery: ExactlyOnce

    async def begin(self, every_ms: float) -> None:
        """Look at the topics, and take the partition."""
        async with admin(Connection(self.client.bootstrap)) as asked:
            topics = await describe(asked, [self.name, self.out, self.dead])
        letters = DeadLetters(self._plan, "ingress", _expired)
        self.delivery = ExactlyOnce(
            self.transactions,
            Postbag(letters, topics),
            assigned=lambda: frozenset({self.tp}),
            every_ms=every_ms,
            on_commit=lambda offsets: None,
        )
        await self.delivery.renew([self.tp])

    def slot(self, *values: bytes, **fields: Any) -> Slot:
        """Return a record that owes the output these results."""
        made = Slot(message(position=Position(self.name, 0, self.at), **fields))
        self.at += 1
        made.outgoing = [(self.out, Outgoing(self.out, b"k", value)) for value in values]
        return made

    async def deliver(self, *slots: Slot, shipments: tuple[Shipment, ...] = ()) -> None:
        flight = Flight([], {self.tp: self.at})
        await self.delivery.deliver(Outcome([*slots], [*shipments]), flight, None)

    async def results(self, *, is_open: bool = False) -> list[bytes | None]:
        """Return what a reader of what is committed sees once all transactions have ended, or while one is open."""
        return [seen.value for seen in await self._seen(self.out, is_open)]

    async def dead_letters(self) -> list[Seen]:
        return await self._seen(self.dead, False)

    async def committed(self) -> int | None:
        found = await asyncio.to_thread(self.client.committed, f"{self.name}.ingress", self.name)
        return found.get(0)

    def alter(self, topic: str, **config: str) -> None:
        named = [
            ConfigEntry(key.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
            for key, value in config.items()
        ]
        asked = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=named)
        self.client.admin.incremental_alter_configs([asked])[asked].result(20)
        wanted = {key.replace("_", "."): value for key, value in config.items()}
        until("the settings", lambda: wanted.items() <= self.client.config(topic).items())

    async def _seen(self, topic: str, is_open: bool) -> list[Seen]:
        if is_open:
            assert not await asyncio.to_thread(self.client.is_settled, topic)
        else:
            await asyncio.to_thread(until, "the end of transactions", lambda: self.client.is_settled(topic))
        return await asyncio.to_thread(self.client.all, topic)

    def _producer(self, id: str) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            bootstrap_servers=self.client.bootstrap,
            acks="all",
            transactional_id=id,
            max_batch_size=LIMIT,
            max_request_size=100 << 20,
        )


async def _expired(position: Position) -> None:
    return None


@pytest.fixture
async def bench(kafka: Running, topic: Callable[..., str], tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(Client(kafka.bootstrap), topic(), tmp_path)
    await made.begin(3_600_000)
    made.delivery._committer._last = time.monotonic()  # the next commit is not due by itself
    yield made
    await made.delivery.close()


def header(letter: Seen, name: str) -> str:
    return letter.header(f"headrace.{name}")


async def test_several_batches_are_seen_at_their_commit(bench: Bench) -> None:
    await bench.deliver(bench.slot(b"a"), bench.slot(b"b"))
    await bench.deliver(bench.slot(b"c"))
    assert (await bench.results(is_open=True), await bench.committed()) == ([], None)
    await bench.delivery.commit()
    assert (await bench.results(), await bench.committed()) == ([b"a", b"b", b"c"], 3)
    assert bench.delivery.due_s is None


async def test_of_a_batch_that_is_held_up_only_what_was_sent_is_committed(bench: Bench) -> None:
    await bench.deliver(bench.slot(b"a"))
    done, stuck, behind = bench.slot(b"b"), bench.slot(), bench.slot(b"d")
    flight = Flight([], {bench.tp: bench.at})
    flight.cut([Held(stuck.carrier, stuck.source, FAILURE, is_final=False)])
    await bench.delivery.deliver(Outcome([done], [], list(flight.held)), flight, None)
    await bench.delivery.commit()
    assert (await bench.results(), await bench.committed()) == ([b"a", b"b"], stuck.source.offset)

    await bench.delivery.renew([bench.tp])  # as whoever reads again does
    await bench.deliver(stuck, behind)
    await bench.delivery.commit()
    assert (await bench.results(), await bench.committed()) == ([b"a", b"b", b"d"], 4)


async def test_a_batch_is_committed_at_once_when_it_is_time(bench: Bench) -> None:
    await bench.begin(0)
    await bench.deliver(bench.slot(b"a"))
    assert (await bench.results(), await bench.committed(), bench.delivery.commits) == ([b"a"], 1, 1)


async def test_what_a_small_transaction_sends_is_taken_at_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """The broker refuses first messages while the coordinator notes something else of their transaction."""
    await bench.begin(0)
    for _ in range(TRANSACTIONS):
        bench.delivery._committer._last = -math.inf  # each is committed at once
        await bench.deliver(bench.slot(b"a"))
    assert (len(await bench.results()), bench.delivery.commits) == (TRANSACTIONS, TRANSACTIONS)
    assert "retrying" not in caplog.text


async def test_a_commit_waits_for_the_batch_that_is_being_delivered(bench: Bench) -> None:
    """Committed before, the transaction would hold results of records whose offsets are not in it."""
    sending, go_on = asyncio.Event(), asyncio.Event()
    send = bench.transactions.send

    async def held(*args: Any, **named: Any) -> asyncio.Future[Any]:
        sent = await send(*args, **named)
        sending.set()
        await go_on.wait()
        return sent

    bench.transactions.send = held  # type: ignore[method-assign]
    await bench.delivery.renew([bench.tp])
    bench.delivery.note({bench.tp: 1})
    bench.at = 1
    delivering = asyncio.create_task(bench.deliver(bench.slot(b"a"), bench.slot(b"b")))
    await sending.wait()
    committing = asyncio.create_task(bench.delivery.commit())
    await asyncio.wait({committing}, timeout=0.1)
    assert not committing.done()
    go_on.set()
    await asyncio.gather(delivering, committing)
    assert (await bench.results(), await bench.committed()) == ([b"a", b"b"], 3)


async def test_after_an_error_nothing_is_sent_or_committed_until_it_is_renewed(bench: Bench) -> None:
    await bench.deliver(bench.slot(b"a"))
    stranger = Slot(message(position=Position("other", 5, 0)))
    stranger.outgoing = [(bench.out, Outgoing(bench.out, None, b"stray"))]
    with pytest.raises(KafkaError):
        await bench.deliver(bench.slot(b"b"), stranger)
    assert bench.delivery.due_s is None
    await bench.delivery.commit()
    with pytest.raises(KafkaError, match="earlier error"):
        await bench.deliver(bench.slot(b"c"))
    await bench.delivery.renew([bench.tp])
    await bench.delivery.commit()
    assert (await bench.results(), await bench.committed()) == ([], None)
    bench.at = 0
    await bench.deliver(bench.slot(b"a"), bench.slot(b"b"))
    await bench.delivery.commit()
    assert (await bench.results(), await bench.committed()) == ([b"a", b"b"], 2)


async def test_a_batch_after_one_that_failed_is_not_delivered(bench: Bench) -> None:
    first = Flight([], {bench.tp: 1})

    async def fail() -> None:
        raise KafkaError("the first failed")

    first.task = asyncio.create_task(fail())
    with pytest.raises(KafkaError, match="the first failed"):
        await bench.delivery.deliver(Outcome([bench.slot(b"b")], []), Flight([], {bench.tp: 2}), first)
    await bench.delivery.commit()
    assert await bench.results() == []


async def test_a_result_that_is_too_large_is_a_dead_letter_of_the_same_transaction(bench: Bench) -> None:
    await bench.deliver(bench.slot(b"a"), bench.slot(b"x" * LIMIT, b"y"), bench.slot(b"c"))
    await bench.delivery.commit()
    assert await bench.results() == [b"a", b"y", b"c"]
    (letter,) = await bench.dead_letters()
    assert (header(letter, "code"), header(letter, "output")) == ("HR509", bench.out)


@pytest.mark.parametrize("size", range(LIMIT - 90, LIMIT - 55, 5))
async def test_what_just_fits_is_a_result(bench: Bench, size: int) -> None:
    await bench.deliver(bench.slot(b"x" * size))
    await bench.delivery.commit()
    seen = [len(await bench.results()), len(await bench.dead_letters())]
    assert seen == ([1, 0] if size + 71 <= LIMIT else [0, 1])


@pytest.mark.parametrize("refusal", ["too large", "timestamp", "partition"])
async def test_what_the_broker_refuses_is_read_again_and_is_then_a_dead_letter(bench: Bench, refusal: str) -> None:
    if refusal == "too large":
        bench.alter(bench.out, max_message_bytes="1000")
    if refusal == "timestamp":
        bench.alter(bench.out, message_timestamp_after_max_ms="1000")
    last_year, where = 4_000_000_000_000 if refusal == "timestamp" else None, 9 if refusal == "partition" else None
    refused = Outgoing(bench.out, b"k", b"x" * 3_000, partition=where, timestamp_ms=last_year)

    async def attempt() -> None:
        bench.at = 0
        slots = [bench.slot(b"a"), bench.slot(), bench.slot(b"c")]
        slots[1].outgoing = [(bench.out, refused)]
        await bench.deliver(*slots)

    for _ in range(2):
        with pytest.raises(ReadAgainError):
            await attempt()
        await bench.delivery.renew([bench.tp])
    await attempt()
    await bench.delivery.commit()
    assert await bench.results() == [b"a", b"c"]
    (letter,) = await bench.dead_letters()
    assert header(letter, "code") == ("HR509" if refusal == "too large" else "HR517")
    bag = bench.delivery._postbag
    assert (bag._refused, bag._suspects) == ({}, set()), "it is committed"


async def test_a_refused_frame_is_a_dead_letter_for_each_of_its_records(bench: Bench) -> None:
    slots = [bench.slot(), bench.slot()]
    frame = Shipment(Outgoing(bench.out, None, b"x" * LIMIT, partition=0), slots)
    await bench.deliver(*slots, shipments=(frame,))
    await bench.delivery.commit()
    assert await bench.results() == []
    assert [header(letter, "code") for letter in await bench.dead_letters()] == ["HR509", "HR509"]


async def test_a_dead_letter_over_the_limit_is_compressed_and_one_that_resists_leaves_its_reasons(bench: Bench) -> None:
    light, heavy = bench.slot(value=b"x" * 3 * LIMIT), bench.slot(value=random.Random(1).randbytes(3 * LIMIT))
    for slot in (light, heavy):
        slot.fail(FAILURE)
    await bench.deliver(light, heavy)
    await bench.delivery.commit()
    whole, rest = await bench.dead_letters()
    assert whole.value == b"x" * 3 * LIMIT
    assert (rest.value, header(rest, "original_missing")) == (None, "MessageSizeTooLargeError")


async def test_a_dead_letter_that_is_refused_leaves_its_reasons_and_if_those_are_refused_it_waits(bench: Bench) -> None:
    bench.alter(bench.dead, max_message_bytes="1500")

    async def attempt() -> None:
        bench.at = 0
        slot = bench.slot(value=b"x" * 2_000)
        slot.fail(FAILURE)
        await bench.deliver(slot)

    for _ in range(2):
        with pytest.raises(ReadAgainError):
            await attempt()
        await bench.delivery.renew([bench.tp])
    bench.alter(bench.dead, max_message_bytes="100")
    await bench.delivery.renew([bench.tp])
    with pytest.raises(KafkaError) as caught:
        await attempt()
    assert not isinstance(caught.value, ReadAgainError), "there is nothing else to send: it has to wait"
    bench.alter(bench.dead, max_message_bytes="1500")
    await bench.delivery.renew([bench.tp])
    await attempt()
    await bench.delivery.commit()
    (letter,) = await bench.dead_letters()
    assert (letter.value, header(letter, "original_missing")) == (None, "ResultTooLargeError")
