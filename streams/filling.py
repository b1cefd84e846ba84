"""Fills the batches of a record loop: what is there at once, and what more comes while there is time anyway."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from headrace.core.record import Message
from headrace.streams.flights import Flights
from headrace.streams.loop_settings import LoopSettings
from headrace.streams.room import Room
from headrace.streams.standing import Standing

__all__ = ["IDLE_POLL_MS", "Fetched", "Filling"]

IDLE_POLL_MS = 20  # while batches are in flight: their end is seen by then
BUSY_POLL_S = 0.025  # while a batch fills up behind one that is at its steps, or is being delivered

Fetched = tuple[list[Message], dict[Any, int]]
"""The messages of a batch, and partition -> offset after the last of them."""


class Filling:
    """Polls for one loop.

    Args:
        consumer: gives messages as `BoundedConsumer` does.
        settings: what the loop is told.
        room: how many messages a batch may have.
        flights: those that are under way.
        standing: says whether what a poll returned is still ours.
    """

    def __init__(
        self,
        consumer: Any,
        settings: LoopSettings,
        *,
        room: Room,
        flights: Flights,
        standing: Standing,
    ) -> None:
        self._consumer, self._settings, self._room, self._flights = consumer, settings, room, flights
        self._standing = standing

    async def batch(self, patience_ms: float) -> Fetched:
        """Return a batch: what is there at once, and what more comes while steps are busy anyway.

        Where records come thick and fast a batch begins `max_wait` after the one before it at the earliest; a record
        after a quiet time as long waits for nobody.

        Args:
            patience_ms: how long to wait for the first record.
        """
        messages: list[Message] = []
        offsets: dict[Any, int] = {}
        give_up = self._flights.launched + self._settings.max_wait_ms / 1000
        while (room := self._left(messages)) and not self._standing.is_stopping:
            timeout_ms = await self._fill_ms(give_up) if messages else patience_ms
            fetched = self._due(await self._consumer.getmany(timeout_ms=timeout_ms, max_records=room))
            self._settings.pace.took(sum(len(raws) for raws in fetched.values()))
            if self._standing.is_stale or (not fetched and not messages):
                break
            # The first frame is alone so far, and more may be there at once.
            is_first_frame = not messages and self._settings.weigh is not None
            _take(fetched, messages, offsets)
            if time.monotonic() >= give_up and not is_first_frame and not self._flights.is_ahead:
                break
        return ([], {}) if self._standing.is_stale else (messages, offsets)

    async def one(self) -> Fetched:
        """Return one message, or none."""
        messages: list[Message] = []
        offsets: dict[Any, int] = {}
        fetched = self._due(await self._consumer.getmany(timeout_ms=IDLE_POLL_MS, max_records=1))
        if not self._standing.is_stale:
            _take(fetched, messages, offsets)
            self._settings.pace.took(len(messages))
        return messages, offsets

    def _due(self, fetched: Mapping[Any, Sequence[Message]]) -> Mapping[Any, Sequence[Message]]:
        """Leave where it lies what is not to be read yet, and let its partition rest until then."""
        early_s = self._settings.early_s
        if early_s is None or self._standing.is_stale:
            return fetched
        due = {}
        for tp, raws in fetched.items():
            first = next((at for at, raw in enumerate(raws) if early_s(tp.topic, raw) > 0), len(raws))
            if first < len(raws):
                self._consumer.seek(tp, raws[first].position.offset)
                self._consumer.pause(tp)
                self._settings.holding.rest((tp.topic, tp.partition), early_s(tp.topic, raws[first]))
            if first:
                due[tp] = raws[:first]
        return due

    def _left(self, messages: Sequence[Message]) -> int:
        return self._room.left(messages, self._settings.pace, self._settings.weigh)

    async def _fill_ms(self, give_up: float) -> float:
        """Return how long to wait for more of a batch: until `give_up`.

        While the batch could not begin anyway let some of that time pass here.
        """
        if not self._flights.is_ahead:
            return 1000 * max(0.0, give_up - time.monotonic())
        await self._flights.moved(BUSY_POLL_S)
        self._flights.raise_failed()
        return 0.0


def _take(fetched: Mapping[Any, Sequence[Message]], messages: list[Message], offsets: dict[Any, int]) -> None:
    for tp, raws in fetched.items():
        messages += raws
        if raws:
            offsets[tp] = raws[-1].position.offset + 1
