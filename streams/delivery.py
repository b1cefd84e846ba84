"""What the record loop asks of a delivery guarantee: take positions, hand a batch over, commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from aiokafka.errors import KafkaError

from headrace.streams.flight import Flight
from headrace.streams.outcome import Outcome

__all__ = ["Delivery", "ReadAgainError", "no_marks"]


class ReadAgainError(KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """What was handed over cannot be committed, and will come out otherwise when it is read again: no need to wait."""


async def no_marks(partitions: Iterable[Any]) -> None:
    """Write no marks: for a delivery without a journal."""


class Delivery(Protocol):
    """How a batch's messages and its offsets reach the broker.

    Flights are delivered in the order they were made. After an error of `deliver` or `commit` nothing counts as
    delivered until `renew` was called: reading goes back to the committed offsets.
    """

    async def start(self) -> None:
        """Connect."""
        ...

    async def renew(self, partitions: Iterable[Any]) -> None:
        """Begin anew with these partitions; called before their committed offsets are read, with nothing in flight."""
        ...

    async def deliver(self, outcome: Outcome, flight: Flight, previous: Flight | None) -> None:
        """Hand over everything that a flight owes, set `flight.sent`, await every acknowledgement, note its offsets.

        Raises:
            KafkaError: something was not acknowledged; nothing of the flight may be committed then.
        """
        ...

    def note(self, offsets: Mapping[Any, int]) -> None:
        """Take offsets up to which everything is done."""
        ...

    @property
    def due_s(self) -> float | None:
        """In how many seconds a commit is due; None while there is nothing to commit."""
        ...

    @property
    def commits(self) -> int:
        """How many commits have succeeded; `deliver` may make some, too."""
        ...

    async def commit(self) -> None:
        """Commit what is done."""
        ...

    async def mark(self, partitions: Iterable[Any]) -> None:
        """Write what the journal says of these partitions, with the offsets that are committed.

        Raises:
            KafkaError: it could not be written.
        """
        ...

    async def close(self) -> None:
        """Let go of the broker; what is not committed is read again."""
        ...
