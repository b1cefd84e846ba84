"""Dead letters: the message exactly as it came, with headers that say why, where and after how many attempts.

Source of the `__streams.errors.` names: Apache Kafka KIP-1034, so that tools made for Kafka Streams read ours too.
"""

from __future__ import annotations

import msgspec

from headrace.core.errors import (
    BrokerError,
    ConfigError,
    HeadraceError,
    MachineError,
    PluginError,
    RecordError,
    TransientError,
)
from headrace.core.failure import Failure
from headrace.core.record import Headers, Message, Outgoing
from headrace.core.wire.cloudevents import REASON_PREFIXES
from headrace.core.wire.redriven import ATTEMPT, REDRIVE_HEADERS, number_in
from headrace.core.wire.result import iso_time

__all__ = [
    "HEADROOM_BYTES",
    "Failure",
    "dead_letter",
    "dying",
    "failure_class",
    "prior_attempts",
    "stub",
    "without_original",
]

HEADROOM_BYTES = 64 * 1024
"""What a dead letter may be larger than the message it holds; its topic's limit is the input's plus this."""

_MAX_MESSAGE_BYTES = 4 * 1024
_MAX_TRACE_BYTES = 24 * 1024
_MAX_STUB_KEY_BYTES = 16 * 1024


def failure_class(error: BaseException) -> str:
    """Return who can mend it: publisher, author, operator, user or machine; strangers' errors are the author's."""
    branches: tuple[tuple[type[HeadraceError], str], ...] = (
        (RecordError, "publisher"),
        (PluginError, "author"),
        (BrokerError, "operator"),
        (ConfigError, "user"),
        (MachineError, "machine"),
        (TransientError, "operator"),
    )
    return next((name for branch, name in branches if isinstance(error, branch)), "author")


def prior_attempts(headers: Headers) -> int:
    """Return the attempts that a redriven dead letter has behind it; 0 for a message that never failed."""
    return number_in(headers, ATTEMPT)


def dead_letter(message: Message, failure: Failure, *, topic: str, pipeline: str, plan: str, now_ms: float) -> Outgoing:
    """Return the dead letter of a message: key, value, headers and timestamp as they were, plus the reasons."""
    kept = tuple((name, value) for name, value in message.headers if _is_kept(name))
    reasons = {
        "__streams.errors.exception": failure.error,
        "__streams.errors.message": _cut(failure.message, _MAX_MESSAGE_BYTES),
        "__streams.errors.stacktrace": _cut(failure.stacktrace, _MAX_TRACE_BYTES),
        "__streams.errors.topic": message.position.topic,
        "__streams.errors.partition": str(message.position.partition),
        "__streams.errors.offset": str(message.position.offset),
        "headrace.code": failure.code,
        "headrace.class": failure.kind,
        "headrace.stage": failure.stage,
        "headrace.plugin": failure.plugin,
        "headrace.attempt": str(prior_attempts(message.headers) + failure.attempt),
        "headrace.output": failure.output,
        "headrace.pipeline": pipeline,
        "headrace.plan": plan,
        "headrace.time": iso_time(now_ms),
    }
    return Outgoing(
        topic=topic,
        key=message.key,
        value=message.value,
        headers=(*kept, *((name, text.encode("utf-8", "backslashreplace")) for name, text in reasons.items())),
        timestamp_ms=message.timestamp_ms if message.timestamp_ms >= 0 else None,
    )


def dying(failure: Failure) -> Failure:
    """Return the failure of a record that was to wait aside and cannot."""
    return msgspec.structs.replace(failure, waits=False)


def without_original(letter: Outgoing, why: str = "expired") -> Outgoing:
    """Return the letter without its message: that has expired, and only the value as it was decoded is left, or so."""
    return Outgoing(
        topic=letter.topic,
        key=letter.key,
        value=letter.value,
        headers=(*letter.headers, ("headrace.original_missing", why.encode())),
        timestamp_ms=letter.timestamp_ms,
    )


def stub(letter: Outgoing, refusal: str) -> Outgoing:
    """Return what can be kept of a dead letter that its topic refuses: the reasons, which say where the original lies.

    It happens to a message that came compressed better than we can compress it, or with a timestamp that only the
    input's topic allows. A record that can end nowhere would stop the pipeline for ever.
    """
    reasons = tuple((name, value) for name, value in letter.headers if name.startswith(REASON_PREFIXES))
    key = letter.key if letter.key is not None and len(letter.key) <= _MAX_STUB_KEY_BYTES else None
    headers = (*reasons, ("headrace.original_missing", refusal.encode()))
    return Outgoing(topic=letter.topic, key=key, value=None, headers=headers)


def _is_kept(name: str) -> bool:
    """Whether a header goes on to the dead letter: the reasons of an earlier failure give way to the new ones."""
    return name in REDRIVE_HEADERS or not name.startswith(REASON_PREFIXES)


def _cut(text: str, limit: int) -> str:
    data = text.encode("utf-8", "backslashreplace")
    return text if len(data) <= limit else data[: limit - 3].decode("utf-8", "ignore") + "..."
