"""Sends what a batch's slots want sent, and waits for the broker's acknowledgement of every one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from headrace.core.record import Outgoing
from headrace.core.wire.errors import ResultTooLargeError
from headrace.streams.bisect import as_failure
from headrace.streams.dead_letter import DeadLetters
from headrace.streams.slot import Slot

__all__ = ["Sender"]


class Sender:
    """Two producers: one for results, and a compressing one for dead letters.

    A message that came in a compressed batch may be far larger than its topic's limit once it is unpacked; its dead
    letter must still fit.
    """

    def __init__(self, producer: Any, dead_producer: Any, letters: DeadLetters) -> None:
        self._producer, self._dead_producer, self._letters = producer, dead_producer, letters

    async def hand_over(self, slots: Sequence[Slot]) -> list[tuple[Slot, str, asyncio.Future[Any]]]:
        """Hand everything to the producers, in order; return each message's pending acknowledgement."""
        pending: list[tuple[Slot, str, asyncio.Future[Any]]] = []
        for slot in slots:
            pending += [(slot, output, await self._send(self._producer, message)) for output, message in slot.outgoing]
            pending += [(slot, "", await self._send(self._dead_producer, letter)) for letter in self._letters.of(slot)]
        return pending

    async def acknowledged(self, pending: Sequence[tuple[Slot, str, asyncio.Future[Any]]]) -> None:
        """Wait for every acknowledgement. A result that its topic refuses as too large becomes a dead letter.

        Raises:
            KafkaError: anything else that a send failed with; nothing of the batch may be committed then.
        """
        from aiokafka.errors import InvalidMessageError, MessageSizeTooLargeError, RecordTooLargeError

        outcomes = await asyncio.gather(*(future for _, _, future in pending), return_exceptions=True)
        again = []
        for (slot, output, _), outcome in zip(pending, outcomes, strict=True):
            if isinstance(outcome, MessageSizeTooLargeError | RecordTooLargeError | InvalidMessageError) and output:
                again.append(await self._send(self._dead_producer, self._too_large(slot, output)))
            elif isinstance(outcome, BaseException):
                raise outcome
        await asyncio.gather(*again)

    async def _send(self, producer: Any, message: Outgoing) -> asyncio.Future[Any]:
        from aiokafka.errors import MessageSizeTooLargeError

        try:
            future: asyncio.Future[Any] = await producer.send(
                message.topic,
                message.value,
                key=message.key,
                partition=message.partition,
                timestamp_ms=message.timestamp_ms,
                headers=list(message.headers),
            )
        except MessageSizeTooLargeError as error:  # refused before it left; treated as if the broker had
            future = asyncio.get_running_loop().create_future()
            future.set_exception(error)
        return future

    def _too_large(self, slot: Slot, output: str) -> Outgoing:
        error = ResultTooLargeError(
            f"the result is larger than topic {output!r} accepts", mend="raise the topic's max.message.bytes"
        )
        return self._letters.letter(slot, as_failure(error, stage="egress", plugin="topic", output=output))
