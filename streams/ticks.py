"""Tells egress's joins how late it is while nothing comes over the link: then a wait can be over all the same."""

from __future__ import annotations

from typing import Any

from headrace.core.record import Message, Position
from headrace.streams.join import Joiner

__all__ = ["Ticks"]

MARGIN_MS = 50
"""How much later than the broker looked its word may have come, and by how much clocks may differ."""


class Ticks:
    """Makes messages that only tell the time, for partitions whose link is read to its end.

    A wait that is over by the clock may be ended only when no answer lies unread that came in time: so the broker must
    have said, later than the wait's end, that there is nothing more.

    Args:
        consumer: reads the link.
        joiner: says when the next waits end.
    """

    def __init__(self, consumer: Any, joiner: Joiner) -> None:
        self._consumer, self._joiner = consumer, joiner

    async def due(self) -> tuple[list[Message], dict[Any, int]]:
        """Return a message for each partition with a wait that is over, and the offsets up to which these are read."""
        due: dict[int, float] = {**self._joiner.due_ms, **dict.fromkeys(self._joiner.passed_over(), 0.0)}
        messages, offsets = [], {}
        for tp in self._consumer.assignment() if due else ():
            if tp.partition not in due:
                continue
            position, end = await self._consumer.position(tp), self._consumer.highwater(tp)
            seen_ms = self._consumer.last_poll_timestamp(tp)
            if end is None or seen_ms is None or position < end or seen_ms - MARGIN_MS <= due[tp.partition]:
                continue
            # An offset that is none: nothing of it may be mistaken for a record, or committed.
            messages.append(Message(Position(tp.topic, tp.partition, -1), None, None, (), int(seen_ms) - MARGIN_MS))
            offsets[tp] = position
        return messages, offsets
