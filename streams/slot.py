"""A record's place in its batch: what it became, or the failure it met, and what is to be sent for it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from headrace.core.plan.stages import EGRESS
from headrace.core.record import Headers, Message, Outgoing, Output, Position, Record
from headrace.core.wire.dead import Failure

__all__ = ["Slot"]


class Slot:
    """One record of a batch on its way through the steps; mutable, and seen by one thread at a time.

    Attributes:
        source: where its message lies in the input.
        message: that message as Kafka gave it; None for a record that came over a link.
        carrier: where the message lies that this process read it from: its own, or the frame's. In exactly_once
            everything that is sent for the slot goes into the transaction of the carrier's partition.
        record: what it became; None until it is decoded and after it failed.
        remains: the record as it was when it failed.
        failure: why it ends as a dead letter; None while all is well.
        outgoing: the results to send, by the name of their output.
        closing: what is to be sent in this order once everything else of the batch is acknowledged.
        dead: failures of single outputs; the other outputs still get the result.
        said: what its last model answered, and that as JSON; None where nobody kept it.
        is_done: whether it needs nothing more from this process: it was delivered.
    """

    __slots__ = (
        "carrier",
        "closing",
        "dead",
        "failure",
        "is_done",
        "message",
        "outgoing",
        "record",
        "remains",
        "said",
        "source",
    )

    def __init__(
        self,
        message: Message | None,
        record: Record | None = None,
        source: Position | None = None,
        carrier: Position | None = None,
    ) -> None:
        self.message, self.record = message, record
        where = source or (message.position if message is not None else record.source if record is not None else None)
        if where is None:
            raise ValueError("a slot needs a message, a record or a position")
        self.source, self.carrier = where, carrier or where
        self.remains: Record | None = None
        self.failure: Failure | None = None
        self.outgoing: list[tuple[str, Outgoing]] = []
        self.closing: Sequence[Outgoing] = ()  # as most slots stay: a list for each would cost as much as a message
        self.dead: Sequence[Failure] = ()
        self.said: tuple[Output, bytes] | None = None
        self.is_done = False

    @property
    def failures(self) -> Sequence[Failure]:
        """Why dead letters are due: one for a record that failed, or one for each output that could not take it."""
        return [self.failure] if self.failure is not None else self.dead

    @property
    def next_stage(self) -> str | None:
        """The stage that the record goes to now; None when it has failed or is delivered."""
        record = self.record
        if record is None or self.is_done:
            return None
        slip = record.slip
        if slip is None or slip.at is None or record.status != "ok":
            return EGRESS
        return slip.next_stage or EGRESS

    @property
    def headers(self) -> Headers:
        """The headers of its message, as far as it is known."""
        record = self.record or self.remains
        return record.headers if record is not None else self.message.headers if self.message is not None else ()

    @property
    def is_branch(self) -> bool:
        """Whether it is one of several copies of a record, which only their join ends."""
        record = self.record or self.remains
        return record is not None and record.slip is not None and record.slip.branch is not None

    def report(self, *, may_pass: bool = False) -> None:
        """Let a record that failed go on to egress with the reason, which ends it there.

        Args:
            may_pass: whether egress is told that the failure may pass, if it does.
        """
        record, failure = self.remains, self.failure
        if record is None or record.slip is None or failure is None:
            return
        # Who holds up a partition does so where it failed alone: egress, trying again, would not ask the model again.
        failed = msgspec.structs.replace(failure, is_transient=may_pass and failure.is_transient)
        slip = msgspec.structs.replace(record.slip, at=None, failed=failed)
        self.record = record.replace(output=None, tensors={}, slip=slip)
        self.failure = self.remains = None

    def fail(self, failure: Failure) -> None:
        """End the record as a dead letter."""
        self.failure, self.remains, self.record = failure, self.record, None
