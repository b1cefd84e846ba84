"""Which records of a run have to wait aside once (`--slow retry_topic`): by their offsets, so that everybody knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["EVERY", "delivery", "moody", "waits"]

EVERY = 16
_FRONT, _END = 3, 11


def waits(offset: int) -> bool:
    """Whether the record at this offset of its partition waits; its order is given up then."""
    return offset % EVERY in (_FRONT, _END)


def moody(at_end: bool) -> list[Mapping[str, Any]]:
    """Return the step that fails on them until they have waited: before the models, or after the last one."""
    return [{"moody": {"every": EVERY, "at": _END if at_end else _FRONT}}]


def delivery() -> Mapping[str, Any]:
    """Return what the file says of them; they wait at once, since no retry would help."""
    return {"slow": "retry_topic", "retry_after": "2s", "retries": 0}
