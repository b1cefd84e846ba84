"""The work itself: JSON read, the text normalised, the full result with its headers made, one message after another.

Every peer calls this, and a pipeline without a model does the same by its own steps.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from benchmarks.steps import built_in
from headrace.core.record import Batch, Content, Headers, Message, Position, Record
from headrace.core.wire.cloudevents import result_headers
from headrace.core.wire.incoming import Intake, to_record
from headrace.core.wire.json import decode, encode
from headrace.core.wire.result import ResultFacts, Spent, iso_time, result_body

__all__ = ["BOOTSTRAP", "COMMIT_S", "GUARANTEE", "SOURCE", "TARGET", "message", "score"]

SOURCE, TARGET, BOOTSTRAP = os.environ["SOURCE"], os.environ["TARGET"], os.environ["BOOTSTRAP"]
GUARANTEE = os.environ.get("GUARANTEE", "at_least_once")
COMMIT_S = float(os.environ.get("COMMIT_S", "0.1"))

_FACTS = ResultFacts("peer", "0" * 12)
_INTAKE = Intake(text=("body",), unit=("user",))


_normalised: Callable[[Batch], Any] = built_in("preprocess", "normalise")


def message(source: tuple[str, int, int], key: bytes | None, value: bytes | None, timestamp_ms: int) -> Message:
    """Return what was read at this topic, partition and offset."""
    return Message(Position(*source), key, value, (), timestamp_ms)


def score(read: Message) -> tuple[bytes, Headers]:
    """Return the value and the headers of a message's result."""
    now = time.time() * 1000
    record: Record = _normalised(Batch([to_record(read, Content(decode(read.value or b"")), _INTAKE)]))[0]
    body = result_body(record, _FACTS, Spent(now, time.time() * 1000, 0.0, 0.0), iso_time(now))
    return encode(body), result_headers(record, body, output=TARGET)
