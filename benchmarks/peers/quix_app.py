"""Quix Streams (librdkafka): a streaming dataframe that scores each message and writes it to a topic."""

from __future__ import annotations

from typing import Any

from quixstreams import Application, message_context

from benchmarks.peers.work import BOOTSTRAP, COMMIT_S, GUARANTEE, SOURCE, TARGET, message, score

app = Application(
    BOOTSTRAP,
    consumer_group=f"{TARGET}-group",
    auto_offset_reset="earliest",
    commit_interval=COMMIT_S,
    processing_guarantee="exactly-once" if GUARANTEE == "exactly_once" else "at-least-once",
    loglevel="WARNING",
)
source = app.topic(SOURCE, key_deserializer="bytes", value_deserializer="bytes")
target = app.topic(TARGET, key_serializer="bytes", value_serializer="bytes")


def scored(value: bytes, key: bytes, timestamp_ms: int, headers: Any) -> tuple[bytes, list[tuple[str, bytes | None]]]:
    """Return the result and its headers."""
    at = message_context()
    body, made = score(message((at.topic, at.partition, at.offset), key, value, timestamp_ms))
    return body, list(made)


frame = app.dataframe(source)
frame = frame.apply(scored, metadata=True)
frame = frame.set_headers(lambda pair, key, timestamp, headers: pair[1])
frame = frame.apply(lambda pair: pair[0])
frame = frame.to_topic(target)

if __name__ == "__main__":
    app.run()
