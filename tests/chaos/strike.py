"""A fault as it is done, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.chaos.schedule import Fault

__all__ = ["Doing", "Strike"]


class Strike(NamedTuple):
    """What became of a fault.

    Attributes:
        fault: as it was drawn.
        form: which form of its kind it had.
        in_flight: records that the processes hit had read and not acknowledged.
        lag: records published and not yet read, in flight ones included.
        recovery_s: from the strike until each group that was hit had committed again; None for records.
        may_double: how many records may come twice for it, at least once.
        misses: how often it had struck idle workers before.
        counts: whether there was something to do for those hit, as their topic said afterwards.
    """

    fault: Fault
    form: str
    in_flight: int
    lag: int
    recovery_s: float | None
    may_double: int
    misses: int = 0
    counts: bool = True


class Doing(NamedTuple):
    """How a fault is done.

    Attributes:
        strike: hits; returns once it has hit.
        mend: undoes it, or replaces who is gone.
        after: called when its effects are over.
        prepare: called before its moment.
        form: which form of its kind it has.
        kills: whether those hit lose their batches in flight.
    """

    strike: Callable[[], None]
    mend: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None
    prepare: Callable[[], None] = lambda: None
    form: str = ""
    kills: bool = True
