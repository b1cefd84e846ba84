"""From a message and its decoded content to a record: id, text, unit and deadline, as the contract has them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from headrace.core.late import Late, LateRecord
from headrace.core.record import Content, Message, Record, Unread
from headrace.core.wire.cloudevents import attributes
from headrace.core.wire.errors import (
    BatchTooLargeError,
    ExpiryTimeError,
    NotAnObjectError,
    TextMissingError,
    TextTypeError,
    TombstoneError,
    TooLargeError,
)
from headrace.core.wire.json import replace_surrogates
from headrace.core.wire.path import MISSING, follow
from headrace.core.wire.redriven import REDRIVE_HEADERS, redriven
from headrace.core.wire.retry import RETRIED

__all__ = ["Intake", "refuse_unreadable", "size_bytes", "to_record"]

_ADDED = RETRIED | REDRIVE_HEADERS
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


@dataclass(frozen=True)
class Intake:
    """How a pipeline reads its input.

    Attributes:
        text: path of the text in a JSON object; empty when the whole value is the text, or nothing needs one.
        needs_text: whether a model of the pipeline reads one, and cannot do without.
        unit: path of the unit; empty when the pipeline names none.
        max_bytes: the largest message accepted, key, value and headers together.
        deadline_ms: milliseconds after the message's timestamp at which it expires; None never.
    """

    text: tuple[str, ...] = ()
    needs_text: bool = False
    unit: tuple[str, ...] = ()
    max_bytes: int = 1 << 20
    deadline_ms: int | None = None


def size_bytes(message: Message) -> int:
    """Return the bytes of key, value and headers together, but for those of a record that was tried before."""
    size = len(message.key or b"") + len(message.value or b"")
    if message.headers:
        size += sum(len(name) + len(value or b"") for name, value in message.headers if name not in _ADDED)
    return size


def refuse_unreadable(message: Message, intake: Intake) -> None:
    """Raise for a message that no codec needs to see.

    Raises:
        TombstoneError: HR502, it has no value.
        TooLargeError: HR503, it exceeds `max_bytes`.
        BatchTooLargeError: HR519, it stands for a batch that was not unpacked.
    """
    if message.value is None:
        raise TombstoneError("the message has no value (a tombstone)", mend="publish tombstones to another topic")
    if isinstance(message.value, Unread):
        _refuse_unread(message.value)
    size = size_bytes(message)
    if size > intake.max_bytes:
        raise TooLargeError(
            f"the message has {size:,} bytes, more than input.max_bytes ({intake.max_bytes:,})",
            mend="publish less, or raise input.max_bytes",
        )


def _refuse_unread(value: Unread) -> None:
    raise BatchTooLargeError(
        f"the messages at offsets {value.first} to {value.last} came in one compressed batch, which unpacks to more "
        f"than input.max_batch_bytes ({value.limit_bytes:,}); none of them was read",
        mend="publish smaller batches, or raise input.max_batch_bytes and publish these again",
    )


def to_record(message: Message, content: Content, intake: Intake) -> Record:
    """Return the record of a decoded message.

    Raises:
        RecordError: HR504 to HR507, text or deadline are missing or of a wrong kind.
    """
    known: Mapping[str, str] = content.attributes
    position, only_output = message.position, ""
    id = f"{position[0]}:{position[1]}:{position[2]}"  # as str() has it, which costs twice as much
    if message.headers:
        known = {**attributes(message.headers), **known}
        id, only_output = redriven(message.headers, id)
    if known:
        source, event = known.get("source"), known.get("id")
        # A bar cannot occur in a URI reference, so no two pairs of source and id give one record id.
        id = f"{source}|{event}" if source and event else id
    value, kind = content.value, Record
    if type(value) is Late:
        if intake.unit or intake.text or intake.needs_text:
            value = value.value
        else:
            kind = LateRecord
    return kind(
        id=id,
        source=position,
        key=message.key,
        unit=_unit(value, intake.unit) if intake.unit else None,
        value=value,
        text=_text(value, intake),
        headers=message.headers,
        tensors=content.tensors,
        timestamp_ms=message.timestamp_ms,
        deadline_ms=_deadline_ms(message, known, intake) if known or intake.deadline_ms is not None else None,
        only_output=only_output,
    )


def _text(value: Any, intake: Intake) -> str:
    path = intake.text
    if not path:
        return _whole_text(value, intake.needs_text)
    if not isinstance(value, dict):
        raise NotAnObjectError(f"the value is {_kind(value)}, not a JSON object", mend="publish one object a message")
    text = follow(value, path)
    where = ".".join(path)
    if text is MISSING or text is None:
        raise TextMissingError(f"the value has no text at {where!r}", mend=f"publish a string at {where!r}")
    if not isinstance(text, str):
        raise TextTypeError(f"{where!r} is {_kind(text)}, not a string", mend=f"publish a string at {where!r}")
    return replace_surrogates(text)


def _whole_text(value: Any, is_needed: bool) -> str:
    if isinstance(value, str):
        return replace_surrogates(value)
    if is_needed:
        raise TextTypeError(f"the value is {_kind(value)}, not text", mend="set input.text to the path of its text")
    return ""


def _unit(value: Any, path: tuple[str, ...]) -> str | None:
    unit = follow(value, path)
    if isinstance(unit, str):
        return unit
    if isinstance(unit, bool):
        return "true" if unit else "false"
    if isinstance(unit, int):
        return str(unit)
    # 42.0 and 42 are one number in JSON, and so one user.
    return json.dumps(int(unit) if unit.is_integer() else unit) if isinstance(unit, float) else None


def _deadline_ms(message: Message, known: Mapping[str, str], intake: Intake) -> int | None:
    expiry = known.get("expirytime")
    if expiry is None:
        has_no_deadline = intake.deadline_ms is None or message.timestamp_ms < 0
        return None if has_no_deadline else message.timestamp_ms + (intake.deadline_ms or 0)
    moment = _moment(expiry)
    if moment is None:
        raise ExpiryTimeError("ce_expirytime is not an RFC 3339 time", mend="publish one like 2026-11-23T20:00:00Z")
    return int(moment.timestamp() * 1000)


def _moment(text: str) -> datetime | None:
    if not _RFC_3339.fullmatch(text):  # Python takes more: weeks, dates alone, times without a place
        return None
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None


def _kind(value: Any) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", dict: "an object"}
    return "null" if value is None else names.get(type(value), type(value).__name__)
