"""Read results and dead letters as facts, whoever wrote them."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from headrace.core.record import Message
from headrace.core.wire.dead import prior_attempts
from headrace.core.wire.json import decode, encode
from headrace.core.wire.redriven import ID, TIMES, number_in
from headrace.core.wire.result import iso_time

__all__ = ["letter_facts", "letter_reasons", "result_body", "result_line"]

_STREAMS = "__streams.errors."
_OURS = "headrace."
_NUMBER = re.compile("[0-9]{1,19}")


def result_body(message: Message) -> dict[str, Any] | None:
    """Return the body of a result; None when the message is no JSON object."""
    try:
        body = decode(message.value or b"")
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def result_line(message: Message) -> bytes:
    """Return a result as one line of JSON: its topic, then its body's fields as they stand on the topic."""
    topic = encode({"topic": message.position.topic})
    body = message.value or b""
    if result_body(message) is None:
        return encode({"topic": message.position.topic, **_data("key", message.key), **_data("value", message.value)})
    inside = body.removeprefix(b"\xef\xbb\xbf").strip()[1:-1].strip()
    if b"\n" in inside or b"\r" in inside:
        inside = encode(decode(body))[1:-1]
    return topic[:-1] + (b"," + inside if inside else b"") + b"}"


def letter_facts(message: Message) -> dict[str, Any]:
    """Return what a dead letter says: why, where, after how many attempts, and the message itself."""
    return {**letter_reasons(message), **_data("key", message.key), **_data("value", message.value)}


def letter_reasons(message: Message) -> dict[str, Any]:
    """Return what a dead letter says of itself, without the message in it."""
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in message.headers}
    position = message.position
    return {
        "topic": position.topic,
        "partition": position.partition,
        "offset": position.offset,
        "time": headers.get(f"{_OURS}time") or _time(message.timestamp_ms),
        "code": headers.get(f"{_OURS}code"),
        "class": headers.get(f"{_OURS}class"),
        "error": headers.get(f"{_STREAMS}exception"),
        "message": headers.get(f"{_STREAMS}message"),
        "stage": headers.get(f"{_OURS}stage"),
        "plugin": headers.get(f"{_OURS}plugin"),
        "output": headers.get(f"{_OURS}output") or None,
        "attempt": prior_attempts(message.headers),
        "redriven": number_in(message.headers, TIMES),
        "original_missing": headers.get(f"{_OURS}original_missing"),
        "id": _id(headers),
        "source": {
            "topic": headers.get(f"{_STREAMS}topic"),
            "partition": _number(headers.get(f"{_STREAMS}partition", "")),
            "offset": _number(headers.get(f"{_STREAMS}offset", "")),
        },
    }


def _id(headers: Mapping[str, str]) -> str:
    """Return the id of the record; that of an event in structured mode lies in its value, which is not looked into."""
    event, origin = headers.get("ce_id"), headers.get("ce_source")
    if event and origin:
        return f"{origin}|{event}"
    return headers.get(ID) or ":".join(
        headers.get(f"{_STREAMS}{part}", "") for part in ("topic", "partition", "offset")
    )


def _time(epoch_ms: int) -> str:
    """Return a message's own time; empty when no calendar has it."""
    try:
        return iso_time(epoch_ms)
    except (ValueError, OverflowError, OSError):
        return ""


def _number(text: str) -> int | None:
    """Return a header's number; None when it is none that Kafka would have written."""
    return int(text) if _NUMBER.fullmatch(text) else None


def _data(name: str, data: bytes | None) -> dict[str, str | None]:
    """Return bytes as text where they are UTF-8, else as base64 under a name of its own."""
    try:
        return {name: None if data is None else data.decode()}
    except UnicodeDecodeError:
        return {name: None, f"{name}_base64": b64encode(data or b"").decode()}
