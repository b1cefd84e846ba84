"""The roll that ingress calls: which records are on their way to egress, and what of that is kept there.

A call bears the era in which ingress read, and how far that era had called before. What is read again is called again,
in another era.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from headrace.core.record import Position, Record

__all__ = ["Call", "KeptTurns", "Marks", "RollId", "TurnChanges", "called", "key_digest"]

Marks = Mapping[int, tuple[int, int]]
"""By era, from and up to which offset the roll was called in it without a gap; the one that was begun last is last."""


class Call(msgspec.Struct, frozen=True, array_like=True):
    """Records of one batch and partition that ingress has sent on.

    Attributes:
        topic: the input.
        partition: of the input.
        era: the one in which ingress read them.
        since: up to which offset the era had called the partition before; -1 for its first call.
        due: offset and digest of the key of each, in order.
    """

    topic: str
    partition: int
    era: int
    since: int
    due: tuple[tuple[int, bytes], ...]

    @property
    def end(self) -> int:
        """The offset after the last one."""
        return self.due[-1][0] + 1 if self.due else self.since


class RollId(NamedTuple):
    """Which call a record is on the roll by."""

    topic: str
    partition: int
    era: int
    first: int


class KeptTurns(NamedTuple):
    """What was kept of the turns of one partition.

    Attributes:
        marks: by topic, how far the roll was called.
        rolls: offsets and digests of those that have not ended.
        held: records that have ended and wait for their turn.
    """

    marks: Mapping[str, Marks] = {}
    rolls: Mapping[RollId, Mapping[int, bytes]] = {}
    held: Sequence[Record] = ()


class TurnChanges(NamedTuple):
    """What has to be kept of the turns since they were asked last.

    Attributes:
        rolls: new rolls, those included that have left; with the batch, in this order.
        held: records that wait for their turn now; with the batch.
        marks: to be kept once all results of the batch are delivered, and before what follows.
        shorter: rolls of which some have left; an empty one is to be forgotten.
        gone: position and era of what was kept of records that wait no longer; to be forgotten last.
    """

    rolls: Mapping[RollId, Mapping[int, bytes]]
    held: Sequence[Record]
    marks: Mapping[str, Marks]
    shorter: Mapping[RollId, Mapping[int, bytes]]
    gone: Sequence[tuple[Position, int]]


def key_digest(key: bytes) -> bytes:
    """Return what a call says of a key; keys that share it wait for each other for nothing, and no harm is done."""
    return blake2b(key, digest_size=8).digest()


def called(records: Iterable[Record]) -> dict[tuple[str, int, int], tuple[tuple[int, bytes], ...]]:
    """Return who is due of these records, by topic, partition and era; copies of one record are due once."""
    found: dict[tuple[str, int, int], dict[int, bytes]] = {}
    for record in records:
        if record.in_turn and record.key is not None:
            topic, partition, offset = record.source
            found.setdefault((topic, partition, record.era), {})[offset] = key_digest(record.key)
    return {where: tuple(sorted(due.items())) for where, due in found.items()}
