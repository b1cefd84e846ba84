"""A batch under way: from its messages to the acknowledgement of everything that was sent for them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from headrace.core.record import Message
from headrace.streams.hold import Held

__all__ = ["Flight"]


class Flight:
    """One batch in flight. Flights overlap, but each sends after the one before it sent, and ends after it ended.

    Attributes:
        messages: the batch, in the order of each partition.
        weight: how many records they hold.
        offsets: partition -> offset of its last message + 1, to commit once the flight has landed.
        stepped: set once its steps are done, well or not; the next batch cannot begin before and may as well grow.
        sent: set once everything was handed to the producer; keeps the order of partitions and keys.
        task: the running flight; its exception is the flight's.
        held: the records at which it ends before its messages do; nothing after it may be delivered.
        is_alone: whether it is one suspect message, and nothing else is at work in the process.
    """

    def __init__(self, messages: Sequence[Message], offsets: Mapping[Any, int], *, is_alone: bool = False) -> None:
        self.messages, self.offsets, self.is_alone = messages, offsets, is_alone
        self.weight = len(messages)
        self.stepped = asyncio.Event()
        self.sent = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.held: Sequence[Held] = ()

    def cut(self, held: Sequence[Held]) -> None:
        """Let the flight end before records that hold up their partition.

        What was brought by no message, since only its time was over, is made again from what is kept: its partition
        is read from where it is.
        """
        self.held = held
        at = {one.tp: one.carrier.offset for one in held if one.carrier.offset >= 0}
        self.offsets = {tp: at.get((tp.topic, tp.partition), offset) for tp, offset in self.offsets.items()}

    @property
    def through(self) -> dict[tuple[str, int], int]:
        """The offsets of the partitions of which nothing was held up."""
        held = {one.tp for one in self.held}
        return {(tp.topic, tp.partition): at for tp, at in self.offsets.items() if (tp.topic, tp.partition) not in held}

    async def landed(self) -> None:
        """Wait until the flight is over; raises what it raised."""
        if self.task is not None:
            await asyncio.wait({self.task})
            self.task.result()
