"""Records that wait on `<pipeline>.retry.ingress` to be tried again: the message as it came, and until when it waits.

Whichever stage it failed at, it begins again as the message that it was, so nothing is applied to it twice. Only
Headrace reads and writes the topic.
"""

from __future__ import annotations

from headrace.core.failure import Failure
from headrace.core.record import Headers, Message, Outgoing, Position
from headrace.core.wire.redriven import ATTEMPT, ONLY_OUTPUT

__all__ = ["RETRIED", "due_ms", "retry_message", "retry_topic", "tried_since_ms", "waited"]

SOURCE = "headrace.retry.source"
TIME = "headrace.retry.time"
DUE = "headrace.retry.due"
SINCE = "headrace.retry.since"
RETRIED = frozenset((SINCE, ATTEMPT, ONLY_OUTPUT))
"""Headers that stay with a record once it has waited."""

_OWN = frozenset((SOURCE, TIME, DUE, SINCE, ATTEMPT))


def retry_topic(pipeline: str) -> str:
    """Return the topic of the records that wait."""
    return f"{pipeline}.retry.ingress"


def retry_message(
    message: Message, failure: Failure, *, topic: str, since_ms: int, due_ms: int, attempts: int
) -> Outgoing:
    """Return what lies on the topic while a record waits.

    Args:
        message: as it came, at its place in the input.
        failure: why it waits; of one output: then it is tried again for that one alone.
        topic: where it waits.
        since_ms: when it waited first, epoch milliseconds.
        due_ms: when it is to be tried again.
        attempts: how often it was tried, all in all.
    """
    said = {
        SOURCE: str(message.position),
        TIME: str(message.timestamp_ms),
        DUE: str(due_ms),
        SINCE: str(since_ms),
        ATTEMPT: str(attempts),
        **({ONLY_OUTPUT: failure.output} if failure.output else {}),
    }
    kept = tuple(one for one in message.headers if one[0] not in said and one[0] not in _OWN)
    return Outgoing(
        topic=topic,
        key=message.key,
        value=message.value,
        headers=(*kept, *((name, text.encode("utf-8", "replace")) for name, text in said.items())),
        partition=message.position.partition,
    )


def waited(message: Message) -> Message:
    """Return a message of the topic as it was at its place in the input, but for what it has behind it.

    What lies there and says nothing of such a place is returned as it is.
    """
    said = {name: (value or b"").decode("utf-8", "replace") for name, value in message.headers if name in _OWN}
    topic, _, place = said.get(SOURCE, "").rpartition(":")[0].rpartition(":")
    offset = said.get(SOURCE, "").rpartition(":")[2]
    if not (topic and place.isdigit() and offset.isdigit()):
        return message
    headers = tuple(one for one in message.headers if one[0] not in (SOURCE, TIME, DUE))
    position = Position(topic, int(place), int(offset))
    return Message(position, message.key, message.value, headers, _number(said.get(TIME)))


def due_ms(headers: Headers) -> int:
    """Return when a message of the topic is to be tried again, epoch milliseconds; 0 when it does not say."""
    return max(0, _found(headers, DUE))


def tried_since_ms(headers: Headers) -> int | None:
    """Return when a record waited first; None when it never did."""
    found = _found(headers, SINCE)
    return found if found > 0 else None


def _found(headers: Headers, name: str) -> int:
    return next((_number((value or b"").decode("ascii", "replace")) for other, value in headers if other == name), -1)


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 19 else -1
