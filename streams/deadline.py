"""Records whose deadline has passed: they spend no more time of a step, and end as expired."""

from __future__ import annotations

from headrace.core.record import Record

__all__ = ["expired", "how_late", "is_late"]


def is_late(record: Record, now_ms: float) -> bool:
    """Whether nobody waits for the record any more."""
    return record.deadline_ms is not None and record.deadline_ms <= now_ms


def expired(record: Record, now_ms: float, where: str = "") -> Record:
    """Return the record as one that has expired.

    Args:
        record: one that is late.
        now_ms: epoch milliseconds.
        where: what it will not be given to any more; empty before the first step.
    """
    return record.replace(status="expired", reason=how_late(record, now_ms, where), output=None, tensors={})


def how_late(record: Record, now_ms: float, where: str = "") -> str:
    """Say when its deadline passed; the arguments are those of `expired`."""
    turn = f"its turn at {where}" if where else "its turn"
    return f"its deadline passed {now_ms - (record.deadline_ms or 0):.0f} ms before {turn}"
