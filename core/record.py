"""A record on its way through a pipeline, the message it came from, and the batch it travels in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

import msgspec

from headrace.core.experiments.experiment import Assigned
from headrace.core.routing.slip import Slip

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Batch", "Content", "Headers", "Message", "Outgoing", "Output", "Position", "Record", "Status", "Unread"]

Headers = tuple[tuple[str, bytes | None], ...]
"""Names and values as Kafka has them: a name may come twice, a value may be null."""
Output = Mapping[str, Any]
Status = Literal["ok", "filtered", "expired", "fallback"]


class Position(NamedTuple):
    """Where a message lies in Kafka: unique for ever, as long as the topic is not recreated."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"


class Unread(bytes):
    """Stands, empty, for the value of messages that were not read, since their batch unpacks to too much.

    Attributes:
        first: the offset of the first of them.
        last: the offset of the last one.
        limit_bytes: to how much their batch was allowed to unpack.
    """

    first: int
    last: int
    limit_bytes: int

    def __new__(cls, first: int, last: int, limit_bytes: int) -> Unread:
        """Return no bytes, which know what they stand for."""
        made = super().__new__(cls)
        made.first, made.last, made.limit_bytes = first, last, limit_bytes
        return made


class Message(msgspec.Struct, frozen=True, gc=False):
    """A message as Kafka gave it: bytes, not yet understood by anyone.

    `value` None is a tombstone. `timestamp_ms` is milliseconds since 1970 UTC.
    """

    position: Position
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int


class Content(msgspec.Struct, frozen=True, gc=False):
    """What a codec read from a message: its value, and the CloudEvents attributes found inside the value.

    `value` is JSON data or text. `attributes` is empty unless the value itself is an envelope (structured
    CloudEvents); attributes in headers are read by the runtime, whatever the codec. `tensors` are the inputs of models
    that take numbers, by name; a codec that gives any says beforehand which, in its property `tensors`.
    """

    value: Any
    attributes: Mapping[str, str] = {}
    tensors: Mapping[str, np.ndarray[Any, Any]] = {}


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A message to be sent; the runtime sends it and waits for the broker's acknowledgement.

    `partition` None lets the key decide, as in any Kafka producer. `timestamp_ms` None is the time of sending.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None
    timestamp_ms: int | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One message on its way: what the publisher sent, and what the steps have made of it so far.

    Frozen: a step returns a changed copy (`with_text`, `with_output`, `replace`) and never alters what it was given,
    because after a failure the batch runs again from the same records.

    Attributes:
        tensors: by name, what the codec read for models that take numbers; or this record's row of what a part of a
            sharded model gave to the next one.
        experiments: the variants that it met.
        postprocess_of: experiment and variant whose postprocessing it gets; None for the base's.
        plan: hash of the plan under which it was routed.
        begun_ms: epoch milliseconds at which its first batch began.
        preprocess_ms: milliseconds of decoding, preprocessing and routing of its batch.
        inference_ms: milliseconds of its batches in all models.
        era: epoch milliseconds at which ingress began to read its partition; 0 when nobody noted it.
        since: the first offset that ingress ended by itself before it: from it up to this one nothing else is sent on.
        failure: of one that ends with the fallback, what it failed with: code, class, error, stage, plugin.
        only_output: of a redriven dead letter, the one output that still lacks the result; empty for all of them.
        in_turn: whether egress lets it leave only after the records of its key before it.
    """

    id: str
    source: Position
    key: bytes | None = None
    unit: str | None = None
    value: Any = None
    text: str = ""
    headers: Headers = ()
    tags: Mapping[str, str] = {}
    tensors: Mapping[str, np.ndarray[Any, Any]] = {}
    timestamp_ms: int = 0
    deadline_ms: int | None = None
    status: Status = "ok"
    reason: str | None = None
    output: Output | None = None
    slip: Slip | None = None
    experiments: tuple[Assigned, ...] = ()
    postprocess_of: tuple[str, str] | None = None
    plan: str = ""
    begun_ms: float = 0.0
    preprocess_ms: float = 0.0
    inference_ms: float = 0.0
    attempt: int = 1
    era: int = 0
    since: int = -1
    only_output: str = ""
    failure: Mapping[str, str] | None = None
    in_turn: bool = False

    def replace(self, **changes: Any) -> Record:
        """Return a copy with some fields changed."""
        return msgspec.structs.replace(self, **changes)

    def with_text(self, text: str) -> Record:
        """Return the record with this text; itself when the text is the same."""
        return self if text == self.text else msgspec.structs.replace(self, text=text)

    def with_output(self, output: Output) -> Record:
        """Return the record with this model output."""
        return msgspec.structs.replace(self, output=output)

    def with_tag(self, name: str, value: str) -> Record:
        """Return the record with one more tag."""
        return msgspec.structs.replace(self, tags={**self.tags, name: value})

    def filtered(self, reason: str) -> Record:
        """Return the record as one that needs no inference: it ends as `filtered`, with the reason."""
        return msgspec.structs.replace(self, status="filtered", reason=reason)

    @property
    def is_live(self) -> bool:
        """Whether the steps that follow still have work with it."""
        return self.status == "ok"


class Batch(Sequence[Record]):
    """The records that go through a step together, in the order of their partition.

    A step returns exactly one record for each one it was given, in the same order.
    """

    __slots__ = ("records",)

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records

    @property
    def texts(self) -> list[str]:
        """The texts, in order."""
        return [record.text for record in self.records]

    def map(self, change: Callable[[Record], Record]) -> Batch:
        """Return a batch of the changed records."""
        return Batch([change(record) for record in self.records])

    @overload
    def __getitem__(self, at: int) -> Record: ...
    @overload
    def __getitem__(self, at: slice) -> Batch: ...
    def __getitem__(self, at: int | slice) -> Record | Batch:
        return Batch(self.records[at]) if isinstance(at, slice) else self.records[at]

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __repr__(self) -> str:
        return f"Batch({list(self.records)!r})"
