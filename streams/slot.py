"""A message's place in its batch: the record it became, or the failure it met, and what is to be sent for it."""

from __future__ import annotations

from headrace.core.record import Message, Outgoing, Record
from headrace.core.wire.dead import Failure

__all__ = ["Slot"]


class Slot:
    """One message of a batch on its way through the steps; mutable, and seen by one thread at a time.

    Attributes:
        message: what Kafka gave.
        record: what it became; None until it is decoded and after it failed.
        failure: why it ends as a dead letter; None while all is well.
        outgoing: the results to send, by the name of their output.
        dead: failures of single outputs; the other outputs still get the result.
    """

    __slots__ = ("dead", "failure", "message", "outgoing", "record")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.record: Record | None = None
        self.failure: Failure | None = None
        self.outgoing: list[tuple[str, Outgoing]] = []
        self.dead: list[Failure] = []

    @property
    def failures(self) -> list[Failure]:
        """Why dead letters are due: one for a record that failed, or one for each output that could not take it."""
        return [self.failure] if self.failure is not None else self.dead

    def fail(self, failure: Failure) -> None:
        """End the record as a dead letter."""
        self.failure, self.record = failure, None
