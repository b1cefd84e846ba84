"""Delivery at least once: results are acknowledged, then offsets committed; a crash between the two repeats them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from headrace.streams.commit import Committer
from headrace.streams.delivery import no_marks
from headrace.streams.flight import Flight
from headrace.streams.outcome import Outcome
from headrace.streams.sender import Sender

__all__ = ["AtLeastOnce"]


class AtLeastOnce:
    """A `Delivery`: the next batch is handed over while the one before is being acknowledged.

    Args:
        sender: sends results and dead letters.
        committer: holds the offsets of landed flights.
        producers: what the sender sends with; connected and closed here.
        mark: writes what the journal says of partitions.
    """

    def __init__(
        self,
        sender: Sender,
        committer: Committer,
        producers: Sequence[Any] = (),
        mark: Callable[[Iterable[Any]], Awaitable[None]] = no_marks,
    ) -> None:
        self._sender, self._committer, self._producers, self._mark = sender, committer, producers, mark
        self._turn = asyncio.Lock()  # a mark goes with the committed offset: one that overtook a commit would undo it

    async def start(self) -> None:
        """Connect the producers."""
        await asyncio.gather(*(producer.start() for producer in self._producers))

    async def renew(self, partitions: Iterable[Any]) -> None:
        """Forget what is not committed; it will be handed over again."""
        self._committer.forget()
        self._sender.renew()

    async def deliver(self, outcome: Outcome, flight: Flight, previous: Flight | None) -> None:
        """Hand over after the flight before has handed over; end after it has ended.

        Raises:
            KafkaError: something was not acknowledged, here or before.
        """
        if previous is not None and not previous.sent.is_set():
            await previous.landed()  # raises when it failed: then nothing after it may be sent
        pending = await self._sender.hand_over(outcome)
        flight.sent.set()
        await self._sender.acknowledged(pending)
        if previous is not None:
            await previous.landed()
        await self._sender.close(outcome)
        self._committer.note(flight.offsets)

    def note(self, offsets: Mapping[Any, int]) -> None:
        """Take offsets up to which everything is acknowledged."""
        self._committer.note(offsets)

    @property
    def due_s(self) -> float | None:
        """In how many seconds a commit is due; None while there is nothing to commit."""
        return self._committer.due_s

    @property
    def commits(self) -> int:
        """How many commits have succeeded."""
        return self._committer.count

    async def commit(self) -> None:
        """Commit what is acknowledged."""
        async with self._turn:
            await self._committer.commit()

    async def mark(self, partitions: Iterable[Any]) -> None:
        """Write what the journal says of these partitions, with the offsets that are committed.

        Raises:
            KafkaError: it could not be written.
        """
        async with self._turn:
            await self._mark(partitions)

    async def close(self) -> None:
        """Close the producers."""
        for producer in self._producers:
            await producer.stop()
