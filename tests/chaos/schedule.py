"""Which faults strike, in which order and how far into the load: drawn from a seed, and from nothing else.

A moment is a number of records that the pipeline has read and committed, never a time, so that a slow machine meets the
same faults at the same records.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple

__all__ = ["EVERYWHERE", "PLANTED", "Fault", "Kind", "draw"]

EVERYWHERE = "all"


class Kind(StrEnum):
    """Kinds of faults."""

    KILL = "SIGKILL"
    STOP = "SIGSTOP for 15 s"
    TERM = "SIGTERM"
    CHURN = "a worker comes and goes"
    BROKER = "broker SIGKILL"
    CUT = "network cut"
    DISK = "broker disk full"
    POISON = "poison"
    OVERSIZE = "oversize"
    DEADLY = "record that kills the process"


PLANTED = (Kind.POISON, Kind.OVERSIZE, Kind.DEADLY)
"""Kinds that lie in the load as records; the others are done to processes."""

_OF_ALL = (Kind.BROKER, Kind.CUT, Kind.DISK)
# SIGKILL most of all; a stop takes 15 s, and a broker's end hits every process at once.
_WEIGHTS = {Kind.KILL: 6, Kind.TERM: 3, Kind.CHURN: 2, Kind.POISON: 2, Kind.OVERSIZE: 2, Kind.CUT: 2}
_COSTS = {Kind.CHURN: 4.0, Kind.STOP: 2.0}  # records that are read while other workers start, in those of a SIGKILL
_FIRST_SHARE, _LAST_SHARE = 0.04, 0.94
"""Faults strike between these parts of the load: first it has to flow, and at last there has to be some left."""


class Fault(NamedTuple):
    """One fault of the schedule.

    Attributes:
        number: its place in the schedule, from 1.
        kind: what strikes.
        group: whose worker; `EVERYWHERE` where all are hit, and for records.
        at: strikes once so many records are read; of a planted one, the number of its record.
        phase: how far into a batch, from 0 to 1.
        variety: chooses between the forms that a kind has, from 0 to 1.
    """

    number: int
    kind: Kind
    group: str
    at: int
    phase: float
    variety: float


def draw(
    seed: int, count: int, records: int, groups: Sequence[str], kinds: Sequence[Kind], *, least: int = 1
) -> tuple[Fault, ...]:
    """Return a schedule, in the order of its moments.

    Args:
        seed: the same one gives the same schedule.
        count: how many faults.
        records: how many records the load has.
        groups: which groups a fault may hit.
        kinds: which kinds strike.
        least: how many of each kind, as far as there is room.
    """
    chance = random.Random(seed)
    sure = [kind for kind in kinds for _ in range(least)][:count]
    drawn = chance.choices(kinds, [_WEIGHTS.get(kind, 1) for kind in kinds], k=count - len(sure))
    order = [*sure, *drawn]
    chance.shuffle(order)
    victims = _victims(chance, groups, order)
    costs = [_COSTS.get(kind, 1.0) for kind in order]
    share = (_LAST_SHARE - _FIRST_SHARE) / max(1.0, sum(costs))
    spent = [0.0, *accumulate(costs)]
    moments = [int(records * (_FIRST_SHARE + share * (spent[at] + chance.random() * 0.9))) for at in range(count)]
    return tuple(
        Fault(at + 1, kind, victims[at], moments[at], chance.random(), chance.random()) for at, kind in enumerate(order)
    )


def _victims(chance: random.Random, groups: Sequence[str], order: Sequence[Kind]) -> list[str]:
    """Every group is hit about as often as the others, in an order that chance gives."""
    rounds = [chance.sample(groups, len(groups)) for _ in order]
    turns = iter([group for one in rounds for group in one])
    return [EVERYWHERE if kind in PLANTED or kind in _OF_ALL else next(turns) for kind in order]
