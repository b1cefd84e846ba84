"""What egress keeps of the turns of records, on `<pipeline>.state.egress` beside its joins (`order: key`).

Three kinds of values, told apart by their keys: how far the roll of a partition was called, those of a call that have
not left yet, and records that have ended and wait for their turn. No topic's name has a slash, so no key of a join
looks like one of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from headrace.core.errors import RecordError
from headrace.core.record import Outgoing, Position, Record
from headrace.core.routing.roll import KeptTurns, Marks, RollId, TurnChanges
from headrace.core.wire.frame import decode_record, encode_record
from headrace.core.wire.kept import Envelope, damaged

__all__ = ["PREFIX", "TurnMessages", "TurnReader", "turn_messages"]

PREFIX = "turn/"
_ENVELOPE = Envelope(b"HT", 1)
_encoder = msgspec.msgpack.Encoder()


class TurnMessages(NamedTuple):
    """The messages that keep a batch's changes.

    Attributes:
        rolls: new ones; with the batch.
        held: by position; with the batch.
        closing: to be sent, in this order, once the results of the batch are delivered. Were the marks kept last, a
            crash before would let a call be taken again, and what has left would be waited for.
    """

    rolls: list[Outgoing]
    held: dict[Position, Outgoing]
    closing: list[Outgoing]


def turn_messages(changes: TurnChanges, topic: str, partition: int) -> TurnMessages:
    """Return the messages that keep what has changed in one partition's turns."""

    def message(key: str, value: bytes | None) -> Outgoing:
        return Outgoing(topic, f"{PREFIX}{key}".encode(), value, partition=partition)

    def roll(id: RollId, due: Mapping[int, bytes]) -> Outgoing:
        return message(f"roll/{id.topic}:{id.partition}:{id.era}:{id.first}", _packed(due) if due else None)

    def held(position: Position, era: int, value: bytes | None) -> Outgoing:
        return message(f"held/{position}:{era}", value)  # of another era it may be held anew before this one is gone

    marks = [message(f"mark/{name}:{partition}", _packed(list(marks.items()))) for name, marks in changes.marks.items()]
    shorter = [roll(id, due) for id, due in changes.shorter.items()]
    gone = [held(position, era, None) for position, era in changes.gone]
    return TurnMessages(
        [roll(id, due) for id, due in changes.rolls.items()],
        {one.source: held(one.source, one.era, _record(one)) for one in changes.held},
        [*marks, *shorter, *gone],
    )


class TurnReader:
    """Puts together what lies on one partition of the state topic; of each key the last value counts."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}

    def add(self, key: bytes, value: bytes | None) -> None:
        """Take a message whose key begins with `PREFIX`, in the order of the partition."""
        name = key.decode("utf-8", "replace")
        if value is None:
            self._values.pop(name, None)
        else:
            self._values[name] = value

    def kept(self) -> KeptTurns:
        """Return the turns.

        Raises:
            StateUnreadableError: HR534, something there is no state, or of a newer version.
        """
        marks: dict[str, Marks] = {}
        rolls: dict[RollId, dict[int, bytes]] = {}
        held: list[Record] = []
        for name, value in self._values.items():
            try:
                kind, _, rest = name.removeprefix(PREFIX).partition("/")
                where = rest.split(":")
                if kind == "mark":
                    marks[where[0]] = dict(_unpacked(name, value, list[tuple[int, tuple[int, int]]]))
                elif kind == "roll":
                    id = RollId(where[0], int(where[1]), int(where[2]), int(where[3]))
                    rolls[id] = _unpacked(name, value, dict[int, bytes])
                else:
                    held.append(_held(name, value))
            except (msgspec.MsgspecError, ValueError, LookupError) as error:
                raise damaged(name, error) from None
        return KeptTurns(marks, rolls, tuple(held))


def _packed(value: Any) -> bytes:
    return _ENVELOPE.pack(_encoder.encode(value))


def _record(record: Record) -> bytes:
    return _ENVELOPE.pack(encode_record(record.replace(tensors={})))


def _unpacked(name: str, value: bytes, kind: Any) -> Any:
    return msgspec.msgpack.decode(_ENVELOPE.body(name, value), type=kind)


def _held(name: str, value: bytes) -> Record:
    record = decode_record(bytes(_ENVELOPE.body(name, value)))
    if isinstance(record, RecordError):
        raise damaged(name, record)
    return record
