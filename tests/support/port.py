"""Ports for what binds them seconds later: of a range from which the system gives none to whoever asks for any."""

from __future__ import annotations

import itertools
import os
import random

from headrace.streams.broker.port import fault

__all__ = ["free_port"]

FIRST, EACH = 20_000, 3_000  # Linux gives those from 32,768 on; the suite's four processes have some each
_OWN = FIRST + EACH * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4)
_turns = itertools.count(random.randrange(EACH))


def free_port() -> int:
    """Return a port on which nobody listens, another one each time."""
    return next(port for turn in _turns if fault(port := _OWN + turn % EACH) is None)
