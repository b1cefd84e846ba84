"""Notice that another process has the same worker name.

The broker tells a fenced member so (FENCED_INSTANCE_ID), but only in answers of a version that aiokafka 0.14 does not
ask for: it hears that its member id is unknown, joins anew, and so pushes the other one out, for ever and by turns.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Sequence

from headrace.streams.errors import DuplicateWorkerError

__all__ = ["Fence"]

WINDOW_S = 30.0
# Two of one name change places every second. Whoever was there first gives way last: it was left in peace for a while
# before the first push, and a newcomer is pushed by the next heartbeat. Of two that started together chance decides,
# two moves apart, so that one of them stays.
SETTLED_S = 5.0
NEWCOMER_MOVES = (3, 5, 7, 9)
SETTLED_MOVES = 12


class Fence:
    """Counts how often a named member had to join under a new id.

    Once in a while that is normal: after an outage, or after a pause longer than the session.
    """

    def __init__(
        self,
        worker: str,
        clock: Callable[[], float] = time.monotonic,
        choose: Callable[[Sequence[int]], int] = random.choice,
    ) -> None:
        self._worker, self._clock = worker, clock
        self._patience = choose(NEWCOMER_MOVES)
        self._since = 0.0
        self._is_settled = False
        self._member = ""
        self._moves: deque[float] = deque()

    def joined(self, member: str) -> None:
        """Take note of the id under which the group was joined.

        Raises:
            DuplicateWorkerError: HR216, this is a fight over one name.
        """
        now = self._clock()
        while self._moves and now - self._moves[0] > WINDOW_S:
            self._moves.popleft()
        if not self._member:
            self._since = now
        elif self._member != member:
            if not self._moves:
                self._is_settled = now - self._since >= SETTLED_S
            self._moves.append(now)
        self._member = member
        most = SETTLED_MOVES if self._is_settled else self._patience
        if len(self._moves) >= most:
            raise DuplicateWorkerError(
                f"another process runs as worker {self._worker!r}: they take each other's partitions",
                mend="give each worker a --worker name of its own",
            )
