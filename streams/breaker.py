"""A step that keeps failing is quarantined: its records fail at once, and one is tried now and then."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from headrace.core.failure import Failure
from headrace.core.wire.errors import StepQuarantinedError

__all__ = ["Breaker", "Place", "Quarantine"]

log = logging.getLogger(__name__)

LONGEST_S = 60.0
MOST_WORDS = 300
PUBLISHER = "publisher"

Place = tuple[str, str]
"""A stage and the plugin of one of its steps."""


class Quarantine:
    """The breakers of a worker, and which of them are open.

    Args:
        after: so many records in a row that a step fails on open its breaker; 0 never.
        wait_s: seconds until one record is tried; doubled each time it fails, up to a minute.
        on_change: told which steps are in quarantine, and why, whenever that changes.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        after: int = 0,
        wait_s: float = 5.0,
        on_change: Callable[[Mapping[Place, str]], None] = lambda open: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.after, self.wait_s, self.clock = after, wait_s, clock
        self._on_change = on_change
        self.open: Mapping[Place, str] = {}
        """Why each step is in quarantine. Replaced, never altered: other threads read it."""

    def breaker(self, stage: str, plugin: str) -> Breaker:
        """Return the breaker of one step."""
        return Breaker((stage, plugin), self)

    def note(self, place: Place, why: str | None) -> None:
        """Note why a step is in quarantine; None when it no longer is."""
        rest = {other: said for other, said in self.open.items() if other != place}
        self.open = rest if why is None else {**rest, place: why}
        self._on_change(self.open)


class _Opened(NamedTuple):
    """Since when what is wrong, and when the next record is tried."""

    why: str
    wait_s: float
    due: float


class Breaker:
    """Counts the records in a row that a step failed on; used by the one thread that runs steps."""

    def __init__(self, place: Place, quarantine: Quarantine) -> None:
        self._place, self._quarantine = place, quarantine
        self._in_a_row = 0
        self._opened: _Opened | None = None

    @property
    def is_open(self) -> bool:
        """Whether the step is in quarantine."""
        return self._opened is not None

    @property
    def is_due(self) -> bool:
        """Whether a record may be tried although it is."""
        return self._opened is None or self._quarantine.clock() >= self._opened.due

    def note(self, failure: Failure | None) -> None:
        """Count one record: what it failed with, or None. A record that is itself wrong shows that the step works."""
        if failure is None or failure.kind == PUBLISHER:
            self._pass()
            return
        self._in_a_row += 1
        if self._opened is not None or 0 < self._quarantine.after <= self._in_a_row:
            self._open(failure)

    def error(self) -> StepQuarantinedError:
        """Return what the records of a step in quarantine fail with."""
        why = self._opened.why if self._opened else ""
        return StepQuarantinedError(
            f"step {self._place[1]!r} is in quarantine: {why}", mend="correct what ails it, then redrive"
        )

    def _pass(self) -> None:
        self._in_a_row = 0
        if self._opened is not None:
            self._opened = None
            self._quarantine.note(self._place, None)
            log.info("step %r of %s works again: its quarantine is over", self._place[1], self._place[0])

    def _open(self, failure: Failure) -> None:
        quarantine, before = self._quarantine, self._opened
        wait_s = quarantine.wait_s if before is None else min(LONGEST_S, before.wait_s * 2)
        said = f"{failure.code} {failure.message[:MOST_WORDS]}"
        why = f"it failed on {self._in_a_row} records in a row, at last with {said}"
        self._opened = _Opened(why, wait_s, quarantine.clock() + wait_s)
        if before is None:
            log.warning("step %r of %s goes into quarantine: %s", self._place[1], self._place[0], why)
        quarantine.note(self._place, why)
