"""Sends what a batch's slots want sent, and waits for the broker's acknowledgement of every one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from headrace.core.errors import RecordError
from headrace.core.record import Outgoing
from headrace.core.wire.dead import Failure, dying, stub
from headrace.core.wire.errors import ResultRefusedError, ResultTooLargeError
from headrace.streams.dead_letter import DeadLetters
from headrace.streams.outbox import REFUSALS, TOO_LARGE, Outbox
from headrace.streams.outcome import Outcome
from headrace.streams.slot import Slot

__all__ = ["Pending", "Sender", "refusal", "too_large", "without_key"]


class Pending(NamedTuple):
    """A message on its way to the broker: a result for an output, a frame for a link, or the dead letter of a failure.

    Attributes:
        slots: whose it is; several only for a frame.
        of: the output's name, the link's topic, or the failure.
        message: what is sent.
        acknowledgement: done when the broker has it, and whatever else is in its batch.
        is_stub: whether it is what remains of a dead letter that was refused.
    """

    slots: Sequence[Slot]
    of: str | Failure
    message: Outgoing
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
        self._outbox, self._dead_outbox, self._letters = Outbox(producer), Outbox(dead_producer), letters
        self._compacted = frozenset(compacted)

    async def hand_over(self, outcome: Outcome) -> list[Pending]:
        """Hand everything to the producers, in order; return each message's pending acknowledgement."""
        due = [(slot, output, message) for slot in outcome.slots for output, message in slot.outgoing]
        sent = await self._all_sent([message for _, _, message in due])
        new = tuple.__new__  # a NamedTuple's own costs twice as much
        pending = [
            new(Pending, ((slot,), output, message, future, False))
            for (slot, output, message), future in zip(due, sent, strict=True)
        ]
        for slot in outcome.slots:
            if slot.failure is not None or slot.dead:
                pending += [await self._bury(slot, failure) for failure in slot.failures]
        for shipment in outcome.shipments:
            acknowledgement = await self._send(self._outbox, shipment.message)
            pending.append(Pending(shipment.slots, "link", shipment.message, acknowledgement))
        return pending

    def renew(self) -> None:
        """Begin anew after an error: whatever it failed for is handed over again."""
        self._outbox.renew()
        self._dead_outbox.renew()

    async def acknowledged(self, pending: Sequence[Pending]) -> None:
        """Wait for every acknowledgement. What a topic refuses becomes a dead letter; a refused dead letter, its stub.

        Raises:
            KafkaError: anything else that a send failed with; nothing of the batch may be committed then.
        """
        while pending:
            awaited = {one.acknowledgement for one in pending}
            await asyncio.wait(awaited)
            refused = {future: error for future in awaited if (error := future.exception()) is not None}
            if not refused:
                return
            together = Counter(one.acknowledgement for one in pending)
            pending = [
                instead
                for one in pending
                if (error := refused.get(one.acknowledgement)) is not None
                for instead in await self._instead(one, error, is_alone=together[one.acknowledgement] == 1)
            ]

    async def close(self, outcome: Outcome) -> None:
        """Send what is only to be kept once everything else of this batch, and of those before, is acknowledged.

        Raises:
            KafkaError: it was not acknowledged; nothing of the batch may be committed then.
        """
        closing = [message for slot in outcome.slots for message in slot.closing]
        await asyncio.gather(*{await self._outbox.put(message) for message in closing})

    async def _instead(self, refused: Pending, error: BaseException, *, is_alone: bool) -> list[Pending]:
        why = refusal(error)
        if why is None:
            raise error
        if not is_alone:  # the broker refuses a batch for one of its messages: each goes again, and only that one fails
            outbox = self._dead_outbox if isinstance(refused.of, Failure) else self._outbox
            alone = await outbox.put_alone(refused.message, compress=outbox is self._dead_outbox)
            return [refused._replace(acknowledgement=alone)]
        if refused.is_stub:
            raise error
        if isinstance(refused.of, str):
            failure = self._letters.refused(refused.of, why)
            return [await self._bury(slot, failure) for slot in refused.slots]
        if refused.of.waits:  # what is kept of a message could not be tried again
            return [await self._bury(slot, dying(refused.of)) for slot in refused.slots]
        remains = stub(await self._letters.letter(refused.slots[0], refused.of), type(error).__name__)
        sent = await self._send(self._dead_outbox, remains)
        return [Pending(refused.slots, refused.of, remains, sent, is_stub=True)]

    async def _bury(self, slot: Slot, failure: Failure) -> Pending:
        letter = await self._letters.letter(slot, failure)
        return Pending((slot,), failure, letter, await self._send(self._dead_outbox, letter))

    async def _all_sent(self, messages: Sequence[Outgoing]) -> list[asyncio.Future[Any]]:
        sent = self._outbox.add(messages)
        while (at := len(sent)) < len(messages):
            sent.append(await self._send(self._outbox, messages[at]))
            sent += self._outbox.add(messages, at + 1)
        return sent

    async def _send(self, outbox: Outbox, message: Outgoing) -> asyncio.Future[Any]:
        """Hand one message over; what never leaves is answered as if the broker had refused it."""
        try:
            if message.key is None and message.topic in self._compacted:
                raise without_key(message.topic)
            return await outbox.put(message)
        except REFUSALS as error:
            future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            future.set_exception(error)
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
    if isinstance(error, TOO_LARGE):
        return too_large()
    if isinstance(error, REFUSALS):
        return ResultRefusedError(f"the topic refuses the result: {error}", mend="correct the sink, or the topic")
    return None
