"""CloudEvents 1.0 on Kafka messages, binary mode: attributes are headers named `ce_…`.

Source: CloudEvents Kafka protocol binding 1.0.2, section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from headrace.core.record import Headers, Record
from headrace.core.tensor import DTYPE_HEADER, SHAPE_HEADER
from headrace.core.wire.trace import is_traceparent, new_traceparent

__all__ = [
    "REASON_PREFIXES",
    "RESULT_TYPE",
    "attributes",
    "constant_headers",
    "headers_of_results",
    "result_headers",
    "result_id",
]

RESULT_TYPE = "headrace.result.v1"
REASON_PREFIXES = ("__streams.errors.", "headrace.")
"""What the names of a dead letter's reasons begin with."""

PREFIX = "ce_"
_ID_BYTES = 16
# Attributes of the event that came in; the result is an event of its own and has these for itself.
_OWN = frozenset(
    ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_datacontenttype", "ce_dataschema")
)
# A result is JSON: what is said of raw tensors is not true of it.
_REPLACED = _OWN | {"content-type", "traceparent", "tracestate", DTYPE_HEADER, SHAPE_HEADER}


def attributes(headers: Headers) -> dict[str, str]:
    """Return the event's attributes without their prefix; empty when the message is no binary CloudEvent."""
    return {
        name[len(PREFIX) :]: value.decode("utf-8", "replace")
        for name, value in headers
        if name.startswith(PREFIX) and value is not None
    }


def result_id(pipeline: str, record_id: str, output: str, *, run: str = "", part: int = 0) -> str:
    """Return the `ce_id` of a result: the same on redelivery and after a change of plan.

    Args:
        pipeline: the pipeline's name.
        record_id: the id of the record.
        output: the name of the output that delivers it.
        run: empty, but for a replay.
        part: 0, unless one record gives several results to an output.
    """
    facts = f"{pipeline}\x1f{run}\x1f{record_id}\x1f{output}\x1f{part}"
    return blake2b(facts.encode("utf-8", "surrogatepass"), digest_size=_ID_BYTES).hexdigest()


def result_headers(record: Record, body: Mapping[str, Any], *, output: str) -> Headers:
    """Return the headers of a result: its own CloudEvents attributes, the trace, and what travels through.

    Args:
        record: the record that ends; its headers are those of the message that came in.
        body: the result's body, with `pipeline` and `time`.
        output: the name of the output; part of the result's id.
    """
    pipeline = body["pipeline"]
    own = (
        *constant_headers(pipeline, RESULT_TYPE),
        ("ce_id", result_id(pipeline, record.id, output).encode()),
        ("ce_time", body["time"].encode()),
    )
    if not record.headers:
        return (*own, ("traceparent", new_traceparent(record.id)))
    return (*own, *_trace(record), *((name, value) for name, value in record.headers if _travels(name)))


def headers_of_results(pipeline: str, time: str, output: str) -> Callable[[Record], Headers]:
    """Return what makes the headers of many results, the same as `result_headers`.

    Args:
        pipeline: its name.
        time: when the results were made.
        output: the name of the output.
    """
    constant, made = constant_headers(pipeline, RESULT_TYPE), ("ce_time", time.encode())
    # What is hashed begins alike, see `result_id`: a hash that has read so far is copied.
    begun = blake2b(f"{pipeline}\x1f\x1f".encode("utf-8", "surrogatepass"), digest_size=_ID_BYTES)
    end = f"\x1f{output}\x1f0"

    def headers(record: Record) -> Headers:
        hashed = begun.copy()
        hashed.update(f"{record.id}{end}".encode("utf-8", "surrogatepass"))
        own = (*constant, ("ce_id", hashed.hexdigest().encode()), made)
        if not record.headers:
            return (*own, ("traceparent", new_traceparent(record.id)))
        return (*own, *_trace(record), *((name, value) for name, value in record.headers if _travels(name)))

    return headers


def _travels(name: str) -> bool:
    """Whether a header goes on to the result; why a redriven dead letter once failed does not."""
    return name not in _REPLACED and not name.startswith(REASON_PREFIXES)


@lru_cache(maxsize=64)
def constant_headers(pipeline: str, kind: str) -> Headers:
    """Return the headers that all messages of one type have in a pipeline."""
    return (
        ("ce_specversion", b"1.0"),
        ("ce_type", kind.encode()),
        ("ce_source", f"/headrace/{pipeline}".encode()),
        ("content-type", b"application/json"),
    )


def _trace(record: Record) -> Iterator[tuple[str, bytes | None]]:
    parent = next((value for name, value in record.headers if name == "traceparent"), None)
    if parent is None or not is_traceparent(parent):
        yield "traceparent", new_traceparent(record.id)  # a broken trace is restarted, its state means nothing then
        return
    yield "traceparent", parent
    yield from ((name, value) for name, value in record.headers if name == "tracestate")
