"""Writes why: turns a slot's failures into dead letters."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from headrace.core.errors import RecordError
from headrace.core.plan.plan import Plan
from headrace.core.record import Message, Outgoing, Position, Record, Unread
from headrace.core.wire.dead import Failure, dead_letter, prior_attempts, without_original
from headrace.core.wire.json import encode
from headrace.core.wire.retry import RETRIED, retry_message, tried_since_ms
from headrace.streams.bisect import Trap, as_failure
from headrace.streams.slot import Slot

__all__ = ["DeadLetters", "ReadAgain"]

ReadAgain = Callable[[Position], Awaitable[Message | None]]
"""Reads a message of the input again; None when it has expired."""


class DeadLetters:
    """Makes the dead letters of one stage.

    Args:
        plan: the pipeline.
        stage: the stage whose records fail.
        read_again: finds the original of a record that came over a link.
    """

    def __init__(self, plan: Plan, stage: str, read_again: ReadAgain) -> None:
        self._topic, self._pipeline, self._hash = plan.dead_topic, plan.pipeline, plan.hash
        self._plugins = {output.name: output.step.spec.name for output in plan.outputs}
        self._stage, self._read_again = stage, read_again
        self._aside, self._after_ms = plan.retry_topic, plan.delivery.retry_after

    async def letter(self, slot: Slot, failure: Failure) -> Outgoing:
        """Return the dead letter of a slot for this failure, with its original, or with what is left of it.

        For a failure that waits, the message that does so; a record whose original is gone cannot.
        """
        message = slot.message or _as_carried(await self._read_again(slot.source), slot)
        is_missing = message is None
        if message is None:
            message = _decoded(slot)
        elif failure.waits:
            return self._aside_of(slot, failure, message)
        letter = dead_letter(
            message,
            failure,
            topic=self._topic,
            pipeline=self._pipeline,
            plan=self._hash,
            now_ms=time.time() * 1000,
        )
        if isinstance(message.value, Unread):
            return without_original(letter, "not unpacked")
        return without_original(letter) if is_missing else letter

    def _aside_of(self, slot: Slot, failure: Failure, message: Message) -> Outgoing:
        now_ms, headers = int(time.time() * 1000), slot.headers or message.headers
        return retry_message(
            message,
            failure,
            topic=self._aside,
            since_ms=tried_since_ms(headers) or now_ms,
            due_ms=int(now_ms + self._after_ms),
            attempts=prior_attempts(headers) + failure.attempt,
        )

    def refused(self, output: str, error: RecordError) -> Failure:
        """Return the failure of a result, or of a frame, that its topic does not take."""
        if output not in self._plugins:
            return as_failure(error, stage=self._stage, plugin=output)
        return as_failure(error, stage="egress", plugin=self._plugins[output], output=output)


def _as_carried(message: Message | None, slot: Slot) -> Message | None:
    """Return a message that was read again with what its record has behind it, if it has waited aside."""
    if message is None or tried_since_ms(slot.headers) is None:
        return message
    more = tuple(one for one in slot.headers if one[0] in RETRIED and one not in message.headers)
    return Message(message.position, message.key, message.value, (*message.headers, *more), message.timestamp_ms)


def _decoded(slot: Slot) -> Message:
    """Return what is left of a message that has expired: the value as it was decoded."""
    record: Record | None = slot.record or slot.remains
    if record is None:
        return Message(slot.source, None, None, (), -1)
    value: bytes | None = None
    with Trap():
        value = _bytes(record)
    return Message(slot.source, record.key, value, record.headers, record.timestamp_ms)


def _bytes(record: Record) -> bytes:
    if record.value is None and record.tensors:  # it came as these bytes, in this order
        return b"".join(array.astype(array.dtype.newbyteorder("<")).tobytes() for array in record.tensors.values())
    return record.value.encode("utf-8", "replace") if isinstance(record.value, str) else encode(record.value)
