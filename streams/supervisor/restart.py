"""When a child that ended is started again, and when it is given up: pure, so that every case can be tried.

Others do it so: supervisord gives a program up after 3 starts that did not last 1 s and lets its neighbours run;
systemd starts again after 100 ms, and gives up at the fifth start in 10 s; honcho and foreman stop everything as soon
as one process ends. Workers of one pipeline need each other, so giving one up stops all, as honcho does; but what can
be a passing fault of the machine or the broker is tried again for as long as it takes, as a pipeline must survive it:

| It ended | Then |
| --- | --- |
| by a signal, or with any code not named below | again: at once if it had been ready, else after a growing pause |
| with 1 before it was ready, and it never was | again, but after the third time in a row it is given up |
| with 1, and it was ready once since the supervisor started | again: its settings were good, so something passes |
| with 0 though nobody told it to; with 2 (wrong usage); 126 or 127 (no such program) | given up at once |
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Death", "Restarts", "Verdict"]

STEADY_S = 10.0  # a worker that cannot reach its broker says so after 8 s: start-up 2 s, the broker's patience 6 s
STRIKES = 3
FIRST_S = 0.1
GROWTH = 3.0
LONGEST_S = 30.0
JITTER = 0.25  # so that children that died of one cause do not come back in step

_FAILED, _USAGE, _NOT_EXECUTABLE, _NOT_FOUND = 1, 2, 126, 127


class Death(NamedTuple):
    """How a child ended.

    Attributes:
        code: its exit code, or minus the signal that killed it.
        lived_s: seconds since it was started.
        was_ready: whether it had said that it is ready.
        last_words: the last error that it printed, else its last line.
    """

    code: int
    lived_s: float
    was_ready: bool = False
    last_words: str = ""

    def __str__(self) -> str:
        return f"{self.cause} after {self.lived_s:.1f} s"

    @property
    def cause(self) -> str:
        """What ended it, in words."""
        if self.code >= 0:
            return f"ended with exit code {self.code}"
        try:
            return f"was killed by {signal.Signals(-self.code).name}"
        except ValueError:  # a real-time signal has no name of its own
            return f"was killed by signal {-self.code}"

    @property
    def was_steady(self) -> bool:
        """Whether it had got to work: it said so, or it lived long enough."""
        return self.was_ready or self.lived_s >= STEADY_S


class Verdict(NamedTuple):
    """What becomes of a child: started again after `pause_s`, or, if that is None, given up for the `reason`."""

    pause_s: float | None
    reason: str = ""


class Restarts:
    """Judges the deaths of one child, one after the other.

    Args:
        chance: gives a number from 0 to 1, for the jitter.
    """

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._early = 0  # deaths in a row before it was steady
        self._strikes = 0  # those of them with exit code 1
        self._was_ever_steady = False

    def judge(self, death: Death) -> Verdict:
        """Say what becomes of the child after this death."""
        if death.code == 0:
            return Verdict(None, "ended with exit code 0, though nobody told it to")
        if death.code in (_USAGE, _NOT_EXECUTABLE, _NOT_FOUND):
            return Verdict(None, f"cannot be started: it {death.cause}")
        self._count(death)
        if self._strikes >= STRIKES and not self._was_ever_steady:
            return Verdict(None, f"failed {STRIKES} times in a row before it was ready")
        pause_s = FIRST_S if self._early <= 1 else min(LONGEST_S, FIRST_S * GROWTH ** (self._early - 1))
        return Verdict(pause_s * (1 + JITTER * self._chance()))

    def _count(self, death: Death) -> None:
        if death.was_steady:
            self._early, self._strikes, self._was_ever_steady = 0, 0, True
            return
        self._early = min(self._early + 1, 100)  # a float's exponent has an end
        self._strikes = self._strikes + 1 if death.code == _FAILED else 0
