"""The state topic, and what every value on it begins with: two letters for its kind, and the number of its format."""

from __future__ import annotations

import struct
from typing import NamedTuple

from headrace.core.wire.errors import StateUnreadableError

__all__ = ["Envelope", "damaged", "state_topic"]

_HEAD = struct.Struct(">2sB")
_ALONE = "let nobody else write there"


class Envelope(NamedTuple):
    """How values of one kind are marked.

    Attributes:
        kind: two bytes.
        format: the newest format that is read, and the one that is written.
    """

    kind: bytes
    format: int

    def pack(self, body: bytes | bytearray) -> bytes:
        """Return the value for a body."""
        return _HEAD.pack(*self) + body

    def body(self, key: str, value: bytes) -> memoryview:
        """Return the body of a value.

        Raises:
            StateUnreadableError: HR534, it is of no such kind, or of a newer format.
        """
        if len(value) < _HEAD.size or value[:2] != self.kind:
            raise StateUnreadableError(f"{key!r} on the state topic is no state", mend=_ALONE)
        if value[2] > self.format:
            fault = f"{key!r} on the state topic has format {value[2]}; this is {self.format}"
            raise StateUnreadableError(fault, mend="update this worker as well")
        return memoryview(value)[_HEAD.size :]


def damaged(key: str, error: Exception) -> StateUnreadableError:
    """Return what to raise for a body that cannot be read."""
    return StateUnreadableError(f"{key!r} on the state topic is damaged: {error}", mend=_ALONE)


def state_topic(pipeline: str) -> str:
    """Return the topic of the joins' state."""
    return f"{pipeline}.state.egress"
