"""Consumers that join their group again after what aiokafka did not expect, such as a broker that still loads.

By itself it tells whoever reads, and does nothing more until that one has heard it. Faust ends, or never listens; a
loop that waits for partitions reads nothing before it has some.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

import aiokafka.errors
from aiokafka.errors import UnknownError

__all__ = ["Rejoining"]

log = logging.getLogger(__name__)

AGAIN_S = 1.0
_NAMED = re.compile(r"(\w+Error)\(")


class Rejoining:
    """To be mixed into an aiokafka consumer. What cannot pass is told as ever."""

    _held_coordinator: Any = None

    @property
    def _coordinator(self) -> Any:
        return self._held_coordinator

    @_coordinator.setter
    def _coordinator(self, coordinator: Any) -> None:
        self._held_coordinator = coordinator
        if hasattr(coordinator, "_push_error_to_user"):  # else it has no group
            tell = coordinator._push_error_to_user

            async def bear(error: BaseException) -> None:
                kind = _kind(error)
                is_unknown = issubclass(kind, UnknownError)
                if not (is_unknown or getattr(kind, "retriable", False)):
                    await tell(error)
                    return
                who = f"a reader of group {coordinator.group_id}"
                log.warning("%s joins it again after %s: %s", who, type(error).__name__, error)
                await asyncio.sleep(AGAIN_S)
                if is_unknown:
                    # Such as FENCED_INSTANCE_ID, which aiokafka 0.14 does not know: another member has the name. That
                    # may be this one, as a broker remembers it that has lost what it said last. Fights end elsewhere.
                    coordinator.reset_generation()
                else:
                    coordinator.request_rejoin()

            coordinator._push_error_to_user = bear


def _kind(error: BaseException) -> type[BaseException]:
    """Return what it is an error of. What it did not expect aiokafka wraps into one that only names it."""
    named = _NAMED.search(str(error))
    kind = getattr(aiokafka.errors, named[1], None) if named else None
    return type(error) if kind is None else kind
