"""Sends what a batch's slots want sent, and waits for the broker's acknowledgement of every one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from aiokafka.errors import (
    InvalidTimestampError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    RecordTooLargeError,
)

from headrace.core.errors import RecordError
from headrace.core.record import Outgoing
from headrace.core.wire.dead import Failure, stub
from headrace.core.wire.errors import ResultRefusedError, ResultTooLargeError
from headrace.streams.dead_letter import DeadLetters
from headrace.streams.pipe import Outcome
from headrace.streams.slot import Slot

__all__ = ["Pending", "Sender", "handed", "refusal", "too_large", "without_key"]

_TOO_LARGE = (MessageSizeTooLargeError, RecordTooLargeError, RecordListTooLargeError)
# aiokafka asserts that a partition exists. A refusal is the message's fault and for ever; anything else is waited out.
_REFUSALS = (*_TOO_LARGE, InvalidTimestampError, ResultRefusedError, AssertionError)


class Pending(NamedTuple):
    """A message on its way to the broker: a result for an output, a frame for a link, or the dead letter of a failure.

    Attributes:
        slots: whose it is; several only for a frame.
        of: the output's name, the link's topic, or the failure.
        acknowledgement: done when the broker has it.
        is_stub: whether it is what remains of a dead letter that was refused.
    """

    slots: Sequence[Slot]
    of: str | Failure
    acknowledgement: asyncio.Future[Any]
    is_stub: bool = False


class Sender:
    """Two producers: one for results, and a compressing one for dead letters.

    A message that came in a compressed batch may be far larger than its topic's limit once it is unpacked; its dead
    letter must still fit.

    Args:
        producer: sends results.
        dead_producer: sends dead letters.
        letters: makes them.
        compacted: the topics that take no message without a key.
    """

    def __init__(
        self, producer: Any, dead_producer: Any, letters: DeadLetters, compacted: Collection[str] = ()
    ) -> None:
        self._producer, self._dead_producer, self._letters = producer, dead_producer, letters
        self._compacted = frozenset(compacted)

    async def hand_over(self, outcome: Outcome) -> list[Pending]:
        """Hand everything to the producers, in order; return each message's pending acknowledgement."""
        pending = []
        for slot in outcome.slots:
            for output, message in slot.outgoing:
                pending.append(Pending((slot,), output, await self._send(self._producer, message)))
            pending += [await self._bury(slot, failure) for failure in slot.failures]
        for shipment in outcome.shipments:
            sent = await self._send(self._producer, shipment.message)
            pending.append(Pending(shipment.slots, "link", sent))
        return pending

    async def acknowledged(self, pending: Sequence[Pending]) -> None:
        """Wait for every acknowledgement. What a topic refuses becomes a dead letter; a refused dead letter, its stub.

        Raises:
            KafkaError: anything else that a send failed with; nothing of the batch may be committed then.
        """
        outcomes = await asyncio.gather(*(one.acknowledgement for one in pending), return_exceptions=True)
        again = []
        for one, outcome in zip(pending, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                again += await self._instead(one, outcome)
        if again:
            await self.acknowledged(again)

    async def close(self, outcome: Outcome) -> None:
        """Send what is only to be kept once everything else of this batch, and of those before, is acknowledged.

        Raises:
            KafkaError: it was not acknowledged; nothing of the batch may be committed then.
        """
        closing = [message for slot in outcome.slots for message in slot.closing]
        await asyncio.gather(*[await handed(self._producer, message) for message in closing])

    async def _instead(self, refused: Pending, error: BaseException) -> list[Pending]:
        why = refusal(error)
        if why is None or refused.is_stub:
            raise error
        if isinstance(refused.of, str):
            failure = self._letters.refused(refused.of, why)
            return [await self._bury(slot, failure) for slot in refused.slots]
        remains = stub(await self._letters.letter(refused.slots[0], refused.of), type(error).__name__)
        return [Pending(refused.slots, refused.of, await self._send(self._dead_producer, remains), is_stub=True)]

    async def _bury(self, slot: Slot, failure: Failure) -> Pending:
        letter = await self._letters.letter(slot, failure)
        return Pending((slot,), failure, await self._send(self._dead_producer, letter))

    async def _send(self, producer: Any, message: Outgoing) -> asyncio.Future[Any]:
        """Hand one message over; what never leaves is answered as if the broker had refused it."""
        try:
            if message.key is None and message.topic in self._compacted:
                raise without_key(message.topic)
            return await handed(producer, message)
        except _REFUSALS as error:
            future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            future.set_exception(error)
            return future


async def handed(producer: Any, message: Outgoing) -> asyncio.Future[Any]:
    """Hand a message to a producer and return its pending acknowledgement."""
    headers = list(message.headers)
    if message.partition is not None and message.partition not in await producer.partitions_for(message.topic):
        # The topic may have grown, as links do with the input; by itself aiokafka would look within 5 minutes.
        await producer.client.force_metadata_update()
    if message.key is None and message.value is None:
        # A tombstone without a key: Kafka takes it, aiokafka's send() does not, its batches do.
        batch = producer.create_batch()
        batch.append(key=None, value=None, timestamp=message.timestamp_ms, headers=headers)
        partition = message.partition
        if partition is None:
            partition = random.choice(sorted(await producer.partitions_for(message.topic)))
        alone: asyncio.Future[Any] = await producer.send_batch(batch, message.topic, partition=partition)
        return alone
    future: asyncio.Future[Any] = await producer.send(
        message.topic,
        message.value,
        key=message.key,
        partition=message.partition,
        timestamp_ms=message.timestamp_ms,
        headers=headers,
    )
    return future


def too_large() -> ResultTooLargeError:
    """Return why a topic refuses a message that is over its limit."""
    return ResultTooLargeError("the result is larger than its topic accepts", mend="raise its max.message.bytes")


def without_key(topic: str) -> ResultRefusedError:
    """Return why a compacted topic refuses a message without a key."""
    return ResultRefusedError(
        f"topic {topic!r} is compacted and takes no message without a key",
        mend="publish with a key, or write to a topic that is not compacted",
    )


def refusal(error: BaseException) -> RecordError | None:
    """Return what is wrong with the message that met this error; None when it is not the message's fault."""
    if isinstance(error, ResultRefusedError):
        return error
    if isinstance(error, _TOO_LARGE):
        return too_large()
    if isinstance(error, _REFUSALS):
        return ResultRefusedError(f"the topic refuses the result: {error}", mend="correct the sink, or the topic")
    return None
