"""Which errors may pass: what a step says of itself, and what Python's own errors mean."""

from __future__ import annotations

from headrace.core.errors import BrokerError, MachineError, TransientError

__all__ = ["is_transient", "retry_after_s"]

_PASSING = (TransientError, BrokerError, MachineError, ConnectionError, TimeoutError, BlockingIOError, InterruptedError)
# Raised by the system as well, and the same every time.
_LASTING = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError)
_LONGEST_S = 3600.0


def is_transient(error: BaseException) -> bool:
    """Whether the same record may pass later, with nothing changed but the time."""
    return isinstance(error, _PASSING) or (isinstance(error, OSError) and not isinstance(error, _LASTING))


def retry_after_s(error: BaseException) -> float:
    """Return the seconds that a step asks to be left alone; 0 when it asks for none."""
    asked = getattr(error, "retry_after_s", None)
    if not isinstance(asked, int | float) or not asked > 0:
        return 0.0
    return min(float(asked), _LONGEST_S)
