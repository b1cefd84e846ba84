"""From a dead letter back to the message that it was."""

from __future__ import annotations

import zlib
from collections.abc import Collection

from headrace.core.record import Outgoing
from headrace.core.wire.cloudevents import REASON_PREFIXES
from headrace.core.wire.redriven import ATTEMPT, ID, ONLY_OUTPUT, TIMES, number_in
from headrace.streams.dlq.letter import Letter

__all__ = ["fits", "original"]

_OVERHEAD_BYTES = 61 + 21 + 10
"""Of a record batch, of a record in it, and of its lengths. Source: Kafka's message format, version 2."""

_HEADER_BYTES = 10  # two lengths of up to five bytes each


def original(letter: Letter, topic: str, *, partitions: int, outputs: Collection[str], now_ms: int | None) -> Outgoing:
    """Return the message of a letter: key, bytes, headers and time as they were, and which record it is.

    Args:
        letter: one whose original is there.
        topic: where it is to go.
        partitions: how many that topic has.
        outputs: the names of the outputs that the topic's reader has; a letter of one of them is for it alone.
        now_ms: the time it gets instead of its own; None leaves it its own.
    """
    message, reasons = letter.message, letter.reasons
    source = reasons["source"]
    only = reasons["output"] or _header(letter, ONLY_OUTPUT)
    said = {
        ID: reasons["id"],
        TIMES: str(number_in(message.headers, TIMES) + 1),
        ATTEMPT: str(reasons["attempt"]),
        **({ONLY_OUTPUT: only} if only in outputs else {}),
    }
    kept = tuple((name, value) for name, value in message.headers if not name.startswith(REASON_PREFIXES))
    # Where it lay before: its key's other records are there, whichever partitioner its publisher has.
    is_home = source["topic"] == topic and source["partition"] is not None and source["partition"] < partitions
    time_ms = message.timestamp_ms if now_ms is None else now_ms
    return Outgoing(
        topic=topic,
        key=message.key,
        value=message.value,
        headers=(*kept, *((name, text.encode("utf-8", "replace")) for name, text in said.items())),
        partition=source["partition"] if is_home else None,
        timestamp_ms=time_ms if time_ms >= 0 else None,
    )


def fits(message: Outgoing, limit_bytes: int) -> bool:
    """Whether a topic takes a message: as it stands, or packed, as its publisher may have sent it."""
    headers = sum(len(name) + len(value or b"") + _HEADER_BYTES for name, value in message.headers)
    rest, value = len(message.key or b"") + headers + _OVERHEAD_BYTES, message.value or b""
    if rest + len(value) <= limit_bytes:
        return True
    return rest + len(zlib.compress(value)) + _OVERHEAD_BYTES <= limit_bytes


def _header(letter: Letter, name: str) -> str:
    found = dict(letter.message.headers).get(name)
    return (found or b"").decode("utf-8", "replace")
