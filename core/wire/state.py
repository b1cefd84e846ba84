"""What egress keeps of its joins, on `<pipeline>.state.egress`. Only Headrace reads and writes it.

Two kinds of values, told apart by their keys: `topic:partition:offset` is a record that waits for more answers,
`topic:partition` the offsets of which are through. Each begins with a head: magic, format, kind. Keys with a slash are
of `turns.py`.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from headrace.core.errors import RecordError
from headrace.core.record import Outgoing, Position, Record
from headrace.core.routing.ended import Ended, Run
from headrace.core.routing.part import Part
from headrace.core.routing.roll import KeptTurns
from headrace.core.routing.waiting import Changes, Waiting
from headrace.core.wire.frame import decode_record, encode_record
from headrace.core.wire.kept import Envelope, damaged
from headrace.core.wire.turns import PREFIX, TurnReader

__all__ = ["Kept", "StateReader", "state_key", "state_messages"]

_ENVELOPE = Envelope(b"HJ", 1)
_JSON = ord("{")  # in msgpack: a number; what follows the head is an array there
_LOOK_BACK = 1000
_encoder = msgspec.msgpack.Encoder()


class _Waits(msgspec.Struct, frozen=True, array_like=True):
    """A waiting record as it is kept. Fields are only ever added, at the end and with defaults."""

    record: bytes
    digest: bytes
    era: int
    due_ms: float | None
    parts: tuple[Part, ...]


class _JsonWaits(msgspec.Struct, frozen=True):
    """The same, for what msgpack cannot hold."""

    waits: _Waits


class Kept(NamedTuple):
    """What was kept of the joins and the turns of one partition."""

    ended: dict[str, Ended]
    waiting: list[Waiting]
    turns: KeptTurns = KeptTurns()


def state_key(position: Position) -> bytes:
    """Return the key of a record that waits."""
    return str(position).encode()


class StateMessages(NamedTuple):
    """The messages that keep a batch's changes.

    Attributes:
        waiting: by position; harmless when the batch is then read again.
        closing: to be sent, in this order, once the results of the batch are delivered: what has ended, then what is
            to be forgotten. Were the first ones lost, late answers would begin their records anew; were they kept
            though the results are lost, so would the records be.
    """

    waiting: dict[Position, Outgoing]
    closing: list[Outgoing]


def state_messages(changes: Changes, topic: str, partition: int) -> StateMessages:
    """Return the messages that keep what has changed in one partition's joins."""

    def message(key: bytes, value: bytes | None) -> Outgoing:
        return Outgoing(topic, key, value, partition=partition)

    waiting = {
        one.record.source: message(state_key(one.record.source), _encode_waiting(one)) for one in changes.waiting
    }
    ended = [message(f"{name}:{partition}".encode(), _encode_ended(one)) for name, one in changes.ended.items()]
    gone = [message(state_key(position), None) for position in changes.gone]
    return StateMessages(waiting, [*ended, *gone])


class StateReader:
    """Puts together what lies on one partition of the state topic; of each key the last value counts.

    What has ended is taken from the last of many values, since an owner that had been stopped may, when it goes on,
    write after its successor. Ended is ended: together they are right.
    """

    def __init__(self) -> None:
        self._waiting: dict[bytes, bytes] = {}
        self._ended: dict[bytes, deque[bytes]] = {}
        self._turns = TurnReader()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: bytes | None, value: bytes | None) -> None:
        """Take a message, in the order of the partition."""
        if key is None:
            return
        if key.startswith(PREFIX.encode()):
            self._turns.add(key, value)
        elif key.count(b":") == 1 and value is not None:
            self._ended.setdefault(key, deque(maxlen=_LOOK_BACK)).append(value)
        elif value is None:
            self._waiting.pop(key, None)
        else:
            self._waiting[key] = value

    def kept(self) -> Kept:
        """Return the state.

        Raises:
            StateUnreadableError: HR534, something there is no state, or of a newer version.
        """
        ended = {_name(key).partition(":")[0]: _decode_ended(_name(key), values) for key, values in self._ended.items()}
        waiting = [_decode_waiting(_name(key), value) for key, value in self._waiting.items()]
        return Kept(ended, waiting, self._turns.kept())


def _name(key: bytes) -> str:
    return key.decode("utf-8", "replace")


def _encode_ended(ended: Ended) -> bytes:
    return _ENVELOPE.pack(_encoder.encode(ended.runs))


def _encode_waiting(waiting: Waiting) -> bytes:
    record = encode_record(waiting.record.replace(output=None, tensors={}))
    waits = _Waits(record, waiting.digest, waiting.era, waiting.due_ms, tuple(waiting.parts.values()))
    try:
        body = _encoder.encode(waits)
    except (UnicodeEncodeError, OverflowError):  # a lone surrogate or a number over 64 bits in an answer
        body = json.dumps(msgspec.to_builtins(_JsonWaits(waits)), separators=(",", ":")).encode()
    return _ENVELOPE.pack(body)


def _decode_ended(key: str, values: Iterable[bytes]) -> Ended:
    ended = Ended()
    for value in values:
        try:
            runs = msgspec.msgpack.decode(_ENVELOPE.body(key, value), type=list[Run])
        except (msgspec.MsgspecError, ValueError) as error:
            raise damaged(key, error) from None
        for run in runs:
            ended.add(*run)
    return ended


def _decode_waiting(key: str, value: bytes) -> Waiting:
    body = _ENVELOPE.body(key, value)
    try:
        if body[:1] and body[0] == _JSON:
            waits = msgspec.convert(json.loads(bytes(body)), _JsonWaits).waits
        else:
            waits = msgspec.msgpack.decode(body, type=_Waits)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise damaged(key, error) from None
    record: Record | RecordError = decode_record(waits.record)
    if isinstance(record, RecordError):
        raise damaged(key, record) from None
    parts = {part.branch: part for part in waits.parts}
    return Waiting(record=record, digest=waits.digest, era=waits.era, due_ms=waits.due_ms, parts=parts)
