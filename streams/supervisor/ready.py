"""How a child tells its supervisor that it is at work: one byte on a pipe whose number is in its environment."""

from __future__ import annotations

import os
from contextlib import suppress

__all__ = ["VARIABLE", "tell_ready"]

VARIABLE = "HEADRACE_READY_FD"


def tell_ready() -> None:
    """Tell the supervisor, if there is one, that this process is ready; a second call does nothing.

    A child that was ready is started again at once when it dies, and without it one has to live for 10 seconds to
    count as good.
    """
    number = os.environ.pop(VARIABLE, "")  # popped, so that no child of ours writes there
    if number.isdecimal():
        with suppress(OSError):  # the supervisor has died, or it is no pipe of ours
            os.write(int(number), b"\n")
        with suppress(OSError):
            os.close(int(number))
