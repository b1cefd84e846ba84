"""Dead letters written as a worker writes them, without a worker."""

from __future__ import annotations

import time
from typing import Any

from headrace.core.record import Headers, Message, Position
from headrace.core.wire.dead import Failure, dead_letter, stub
from tests.support.controlled import Controlled

__all__ = ["NOON_MS", "bury"]

NOON_MS = 1_795_435_200_000


def bury(
    pipeline: Controlled,
    value: bytes | None = b'{"text": "fine"}',
    *,
    key: bytes | None = b"ann",
    headers: Headers = (),
    source: Position | None = None,
    timestamp_ms: int = NOON_MS,
    died_ms: float | None = None,
    partition: int = 0,
    is_missing: bool = False,
    **failed: Any,
) -> str:
    """Write a letter into a partition of the dead letter topic; return its place there, PARTITION:OFFSET."""
    dead = f"{pipeline.pipeline}.dead"
    if not pipeline.client.partitions(dead):
        pipeline.client.make_topic(dead, 2)
    message = Message(source or Position(pipeline.pipeline, 1, 7), key, value, headers, timestamp_ms)
    said = {"code": "HR501", "error": "StepFailedError", "kind": "author", "message": "it hurts", "stage": "ingress"}
    letter = dead_letter(
        message,
        Failure(**{**said, "plugin": "fault", **failed}),
        topic=dead,
        pipeline=pipeline.pipeline,
        plan="abc",
        now_ms=time.time() * 1000 if died_ms is None else died_ms,
    )
    if is_missing:
        letter = stub(letter, "MessageSizeTooLargeError")
    sent = {"key": letter.key, "value": letter.value, "headers": list(letter.headers), "partition": partition}
    (position,) = pipeline.client.publish(dead, {**sent, "timestamp": letter.timestamp_ms or NOON_MS})
    return position.removeprefix(f"{dead}:")
