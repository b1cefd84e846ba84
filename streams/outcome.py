"""What became of a batch: the records that are done, the frames of those that go on, and what holds up the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from headrace.core.record import Message
from headrace.core.wire.dead import Failure
from headrace.streams.hold import Held
from headrace.streams.link import Shipment
from headrace.streams.slot import Slot

__all__ = ["Condemn", "Outcome"]


class Outcome(NamedTuple):
    """What became of a batch.

    Attributes:
        slots: its records in order, up to the first of each partition that is held up.
        shipments: the frames for records that go on in another process.
        held: the records that hold up their partition.
    """

    slots: list[Slot]
    shipments: list[Shipment]
    held: list[Held] = []  # noqa: RUF012 - of a tuple, and never altered


Condemn = Callable[[Message, Failure, bool], Outcome]
"""Lets the records of a message fail without running them; if so asked, also those that wait for no more than it."""
