"""A record's value that is made of its message when somebody first asks for it, which in many pipelines nobody does.

Where records are lists of numbers, to keep all of a batch's values as Python's floats cost as much as to read them:
they are more than a cache holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headrace.core.record import Record

__all__ = ["Late", "LateRecord"]


class Late:
    """A value that is not made yet.

    Args:
        make: makes it; called once at most.
    """

    __slots__ = ("_make", "_value")

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make: Callable[[], Any] | None = make
        self._value: Any = None

    @property
    def value(self) -> Any:
        """The value."""
        if self._make is not None:
            self._value, self._make = self._make(), None
        return self._value


class LateRecord(Record, frozen=True, kw_only=True):
    """A record made with a `Late` value; its copies have it together."""

    @property  # type: ignore[misc]  # msgspec's own code goes by the field, all others by this
    def value(self) -> Any:
        """The value, or the one that a step put in its place."""
        kept = _kept(self)
        return kept.value if type(kept) is Late else kept


_kept: Callable[[Record], Any] = Record.__dict__["value"].__get__
