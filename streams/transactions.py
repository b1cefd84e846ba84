"""The transactions of a stage: a producer for each partition that it reads, so that its owner fences all others.

A producer for each worker would be simpler, and was measured to double: a worker that slept through losing its
partitions still commits, because aiokafka 0.14 sends offsets without the group's generation (TxnOffsetCommit v0).
The partition's own transactional id is what shuts it out. See docs/decisions/0007-exactly-once.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from aiokafka.errors import IllegalOperation, KafkaConnectionError, KafkaError, KafkaTimeoutError
from aiokafka.producer import sender

from headrace.core.record import Outgoing
from headrace.streams.outbox import Outbox

__all__ = ["TRANSACTION_S", "Offset", "Transactions"]

TRANSACTION_S = 10.0
"""A transaction that is left open keeps readers waiting this long; so long a worker waits for the broker as well."""

START_S = 15.0  # longer than TRANSACTION_S: the broker may have to wait for what a killed worker left open
CLOSE_S = 5.0
AGAIN_S = 0.003

Answer = TypeVar("Answer")
Offset = int | tuple[int, str]
"""An offset, perhaps with the metadata that is committed with it."""


class Transactions:
    """Begins, fills and commits. Not to be used by two tasks at once.

    Args:
        make: returns a producer with this transactional id, not started.
        group: the consumer group whose offsets go into the transactions; transactional ids begin with it.
    """

    def __init__(self, make: Callable[[str], Any], group: str) -> None:
        self._make, self._group = make, group
        self._producers: dict[Any, Any] = {}
        self._outboxes: dict[Any, Outbox] = {}
        self._begun: set[Any] = set()
        self._parting: set[asyncio.Task[None]] = set()

    async def renew(self, partitions: Iterable[Any]) -> None:
        """Make the producers of these partitions anew: what was begun with them, here or elsewhere, is aborted.

        Always new ones, never `abort_transaction`: after most errors aiokafka's sends nothing to the broker, and the
        next commit publishes what was to be aborted. An open transaction is aborted by the broker as soon as
        another producer with its id starts; then no offset of an earlier owner can be committed any more.

        Raises:
            KafkaError: the broker does not give the ids.
        """
        self._part()
        wanted = list(partitions)
        started = await asyncio.gather(*(self._started(tp) for tp in wanted), return_exceptions=True)
        failures = []
        for tp, producer in zip(wanted, started, strict=True):
            if isinstance(producer, BaseException):
                failures.append(producer)
            else:
                self._producers[tp] = producer
                self._outboxes[tp] = Outbox(producer)
        if failures:
            self._part()
            raise failures[0]

    def add(self, tp: Any, messages: Sequence[Outgoing], start: int = 0) -> list[asyncio.Future[Any]]:
        """Hand over the first of these messages, from one on, where that takes no waiting; leave the rest to `send`.

        Returns:
            The acknowledgements of those that were handed over.
        """
        return self._outboxes[tp].add(messages, start) if tp in self._begun else []

    async def send(
        self, tp: Any, message: Outgoing, *, alone: bool = False, compress: bool = False
    ) -> asyncio.Future[Any]:
        """Hand a message over in the transaction of this partition; return its batch's pending acknowledgement.

        Args:
            tp: the partition that was read.
            message: what is sent.
            alone: whether it is a batch of its own.
            compress: whether that batch is compressed.

        Raises:
            ResultRefusedError: the topic has no such partition.
            MessageSizeTooLargeError: the message is larger than any request may be.
            KafkaError: the transaction is broken.
        """
        await self._producer(tp)
        outbox = self._outboxes[tp]
        if alone or compress:
            return await _whole(outbox.put_alone(message, compress=compress))
        return await _whole(outbox.put(message))

    async def commit(self, offsets: Mapping[Any, Offset]) -> None:
        """Commit the transactions of these partitions, with their offsets, and perhaps metadata, in them.

        The offsets go into them only now that what was sent is acknowledged. When the first messages of a transaction
        arrive, the broker asks the transaction's coordinator whether it has begun. If that is just noting something
        else, the broker answers NOT_ENOUGH_REPLICAS to a client that is not Kafka's newest, and aiokafka sends them
        again after 100 ms: of 50 small transactions a second some did so every second, to save two round trips each.

        Raises:
            KafkaError: one of them failed; whether the broker has committed it is told by the committed offset.
        """
        commits = (_in_time(self._commit(tp, offset), "a commit") for tp, offset in offsets.items())
        for outcome in await asyncio.gather(*commits, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def close(self) -> None:
        """Let go of the broker; an open transaction is aborted when the next owner starts, or by its timeout."""
        self._part()
        await asyncio.gather(*self._parting)

    def _of(self, tp: Any) -> Any:
        try:
            return self._producers[tp]
        except KeyError:
            raise KafkaError(f"{tp.topic}:{tp.partition} is no longer read here") from None

    async def _producer(self, tp: Any) -> Any:
        producer = self._of(tp)
        if tp not in self._begun:
            await _whole(producer.begin_transaction())
            self._begun.add(tp)
        return producer

    async def _commit(self, tp: Any, offset: Offset) -> None:
        producer = await self._producer(tp)
        await _whole(producer.send_offsets_to_transaction({tp: offset}, self._group))
        await _whole(producer.commit_transaction())
        self._begun.discard(tp)

    async def _started(self, tp: Any) -> Any:
        # Once a transaction has ended the broker is busy with its marks for some milliseconds, and says so to whoever
        # begins the next. aiokafka then waits 20 ms. With 3, and a commit every 20 ms, 99 of 100 results were seen
        # within 66 ms instead of 96, for no more work. No setting reaches it.
        sender.BACKOFF_OVERRIDE = AGAIN_S
        producer = self._make(f"{self._group}.{tp.topic}.{tp.partition}")
        try:
            async with asyncio.timeout(START_S):
                await producer.start()
        except BaseException as error:
            self._part_with(producer)
            if isinstance(error, TimeoutError):
                raise KafkaTimeoutError(
                    f"no transactional id within {START_S:g} s; has the broker as many replicas for its transactions "
                    "as it asks for (transaction.state.log.replication.factor)?"
                ) from None
            raise
        return producer

    def _part(self) -> None:
        for producer in self._producers.values():
            self._part_with(producer)
        self._producers.clear()
        self._outboxes.clear()
        self._begun.clear()

    def _part_with(self, producer: Any) -> None:
        parting = asyncio.create_task(_stopped(producer))
        self._parting.add(parting)
        parting.add_done_callback(self._parting.discard)


async def _whole(call: Coroutine[Any, Any, Answer]) -> Answer:
    """Await a call on a transaction. A wrong state is how aiokafka says that it is broken, and no fault of ours."""
    try:
        return await call
    except (AssertionError, IllegalOperation) as error:  # neither is one of its KafkaErrors
        raise _broken(error) from error


def _broken(error: Exception) -> KafkaError:
    return KafkaError(f"the transaction is broken: {error}")


async def _in_time(call: Coroutine[Any, Any, None], what: str) -> None:
    try:
        async with asyncio.timeout(TRANSACTION_S):
            await call
    except TimeoutError:
        raise KafkaTimeoutError(f"{what} took longer than {TRANSACTION_S:g} s") from None


async def _stopped(producer: Any) -> None:
    """Stop a producer, also one that waits for a broker that is away: then its stop() alone would never end."""
    stopping = asyncio.ensure_future(producer.stop())
    done, _ = await asyncio.wait({stopping}, timeout=CLOSE_S)
    if not done:
        producer._message_accumulator.fail_all(KafkaConnectionError())
        if producer._sender.sender_task is not None:
            producer._sender.sender_task.cancel()
    with suppress(Exception):  # its last words are of no use: it is replaced, or the worker ends
        await producer.client.close()
    await asyncio.wait({stopping}, timeout=CLOSE_S)
    for done in (stopping, producer._txn_manager.wait_for_transaction_end()):
        if done is not None and done.done() and not done.cancelled():
            done.exception()  # asyncio complains of errors that nobody took note of
