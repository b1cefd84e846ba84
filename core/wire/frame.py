"""Records between processes: as many of a batch as fit, in one Kafka message. Only Headrace reads and writes these.

A frame is a head (magic, format, number of records), then msgpack: the plan's hash, the sending stage, and each record
as bytes of its own; or none, and ingress's call of some. Records are msgpack too; one that msgpack cannot hold (a lone
surrogate, a number over 64 bits) is JSON instead, told apart by its first byte.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from headrace.core.errors import RecordError
from headrace.core.experiments.experiment import Assigned
from headrace.core.record import Headers, Position, Record, Status
from headrace.core.routing.roll import Call
from headrace.core.routing.slip import Slip
from headrace.core.wire.errors import FrameUnreadableError, NotPlainError, TooDeepError

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "FORMAT",
    "Frame",
    "decode_frame",
    "decode_record",
    "encode_call",
    "encode_frames",
    "encode_record",
    "records_in",
    "split_frame",
]

FORMAT = 1
_HEAD = struct.Struct(">2sBxI")
_MAGIC = b"HR"
_JSON = ord("[")  # in msgpack: the number 91; a record is an array, so it never begins so

Tensors = Literal["float32", "float16"]


class _Tensor(msgspec.Struct, frozen=True, array_like=True):
    """An array: its dtype as numpy names it, its shape, its values as little-endian bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes


class _Carried(msgspec.Struct, frozen=True, array_like=True):
    """A record as it travels. Fields are only ever added, at the end and with defaults, so old frames stay readable."""

    id: str
    source: tuple[str, int, int]
    key: bytes | None
    unit: str | None
    value: Any
    text: str | None  # None: the same as the value
    headers: Headers
    tags: dict[str, str]
    tensors: list[_Tensor]
    timestamp_ms: int
    deadline_ms: int | None
    status: Status
    reason: str | None
    output: dict[str, Any] | None
    slip: Slip | None
    experiments: tuple[Assigned, ...]
    postprocess_of: tuple[str, str] | None
    plan: str
    begun_ms: float
    preprocess_ms: float
    inference_ms: float
    attempt: int
    era: int = 0
    since: int = -1
    only_output: str = ""
    failure: dict[str, str] | None = None
    in_turn: bool = False


class _Body(msgspec.Struct, frozen=True, array_like=True):
    plan: str
    stage: str
    records: list[bytes]
    call: Call | None = None


class Frame(msgspec.Struct, frozen=True):
    """What a frame holds: the plan of the process that sent it, the stage that it came from, the records in order.

    A record that cannot be read is the error that says why. Or it holds no record, and ingress's call of some.
    """

    plan: str
    stage: str
    records: list[Record | RecordError]
    call: Call | None = None


_encoder = msgspec.msgpack.Encoder()
_record_decoder = msgspec.msgpack.Decoder(_Carried)
_body_decoder = msgspec.msgpack.Decoder(_Body)


def encode_record(record: Record, tensors: Tensors = "float32") -> bytes:
    """Return a record as it travels.

    Args:
        record: what to send.
        tensors: how its float32 tensors travel.

    Raises:
        NotPlainError: HR610, a step put something into it that is no plain value.
        TooDeepError: HR524, its value has too many levels.
    """
    try:
        return _packed(_carried(record, tensors))
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, RecursionError) and not _holds_itself((record.value, record.output)):
            fault = "the record cannot travel to another process: its value is nested too deeply"
            raise TooDeepError(fault, mend="publish it with fewer levels") from None
        raise NotPlainError(
            f"the record cannot travel to another process: {error}",
            mend="let steps set only str, int, float, bool, None, lists and dicts",
        ) from None


def encode_frames(plan: str, stage: str, records: Iterable[bytes], max_bytes: int) -> Iterator[tuple[bytes, int]]:
    """Yield frames and how many records each holds; a record that is larger than `max_bytes` has one for itself.

    Args:
        plan: hash of the sending plan.
        stage: the sending stage.
        records: what `encode_record` gave, in order.
        max_bytes: most bytes of records in a frame.
    """
    held: list[bytes] = []
    size = 0
    for record in records:
        if held and size + len(record) > max_bytes:
            yield _frame(plan, stage, held), len(held)
            held, size = [], 0
        held.append(record)
        size += len(record)
    if held:
        yield _frame(plan, stage, held), len(held)


def encode_call(plan: str, stage: str, call: Call) -> bytes:
    """Return the frame of a call."""
    return _HEAD.pack(_MAGIC, FORMAT, 0) + _encoder.encode(_Body(plan, stage, [], call))


def records_in(data: bytes | None) -> int:
    """Return how many records a frame holds, by its head alone; 1 when it is none."""
    if data is None or len(data) < _HEAD.size or data[:2] != _MAGIC:
        return 1
    return max(1, int(_HEAD.unpack_from(data)[2]))


def split_frame(data: bytes | None) -> list[bytes | None]:
    """Return a frame for each record of a frame, as it lies there; what cannot be read stays one."""
    try:
        body = _body(data)
    except FrameUnreadableError:
        return [data]
    return [_frame(body.plan, body.stage, [raw]) for raw in body.records] or [data]


def decode_frame(data: bytes | None) -> Frame:
    """Return what a frame holds.

    Raises:
        FrameUnreadableError: HR520, it is no frame, or one of a newer version.
    """
    body = _body(data)
    return Frame(body.plan, body.stage, [decode_record(raw) for raw in body.records], body.call)


def decode_record(raw: bytes) -> Record | RecordError:
    """Return a record that `encode_record` packed, or the error that says why it cannot be read."""
    try:
        if raw[:1] and raw[0] == _JSON:
            carried = msgspec.convert(json.loads(raw), _Carried)
        else:
            carried = _record_decoder.decode(raw)
        return _record(carried)
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, SyntaxError, RecursionError) as error:
        return FrameUnreadableError(f"a record of the frame is damaged: {error}", mend="let nobody else write there")


def _body(data: bytes | None) -> _Body:
    if data is None or len(data) < _HEAD.size or data[:2] != _MAGIC:
        raise FrameUnreadableError("this is no frame", mend="let nobody else write to link topics")
    _, version, count = _HEAD.unpack_from(data)
    if version > FORMAT:
        fault = f"the frame has format {version}; this is {FORMAT}"
        raise FrameUnreadableError(fault, mend="update this worker as well")
    try:
        body = _body_decoder.decode(memoryview(data)[_HEAD.size :])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise FrameUnreadableError(f"the frame is damaged: {error}", mend="let nobody else write there") from None
    if len(body.records) != count:
        raise FrameUnreadableError("the frame is damaged: it holds another number of records", mend="redrive them")
    return body


def _packed(carried: _Carried) -> bytes:
    try:
        return _encoder.encode(carried)
    except (UnicodeEncodeError, OverflowError):
        return json.dumps(msgspec.to_builtins(carried), separators=(",", ":")).encode()


def _holds_itself(value: Any) -> bool:
    """Whether a list or dict is among what it holds; only a step can make such a value, no message can."""
    way, around = [iter([value])], [0]
    while way:
        inner = next(way[-1], None)
        if inner is None:
            way.pop()
            around.pop()
        elif id(inner) in around:
            return True
        else:
            way.append(iter(_held(inner)))
            around.append(id(inner))
    return False


def _held(value: Any) -> list[Any]:
    """Return the lists and dicts directly in a value."""
    items: Iterable[Any] = value.values() if isinstance(value, Mapping) else value
    return [item for item in items if isinstance(item, Mapping | list | tuple)]


def _frame(plan: str, stage: str, records: list[bytes]) -> bytes:
    return _HEAD.pack(_MAGIC, FORMAT, len(records)) + _encoder.encode(_Body(plan, stage, records))


def _carried(record: Record, tensors: Tensors) -> _Carried:
    return _Carried(
        record.id,
        (record.source.topic, record.source.partition, record.source.offset),
        record.key,
        record.unit,
        record.value,
        None if record.text is record.value else record.text,
        record.headers,
        dict(record.tags),
        [_tensor(name, array, tensors) for name, array in record.tensors.items()],
        record.timestamp_ms,
        record.deadline_ms,
        record.status,
        record.reason,
        None if record.output is None else dict(record.output),
        record.slip,
        record.experiments,
        record.postprocess_of,
        record.plan,
        record.begun_ms,
        record.preprocess_ms,
        record.inference_ms,
        record.attempt,
        record.era,
        record.since,
        record.only_output,
        None if record.failure is None else dict(record.failure),
        record.in_turn,
    )


def _tensor(name: str, array: np.ndarray[Any, Any], tensors: Tensors) -> _Tensor:
    if tensors == "float16" and array.dtype == "float32":
        import numpy as np

        with np.errstate(over="ignore"):  # what float16 cannot hold is infinite; the next part says what becomes of it
            array = array.astype("float16")
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return _Tensor(name, little.dtype.str, little.shape, little.tobytes())


def _record(carried: _Carried) -> Record:
    fields: Mapping[str, Any] = {name: getattr(carried, name) for name in _Carried.__struct_fields__}
    text = carried.value if carried.text is None and isinstance(carried.value, str) else carried.text or ""
    return Record(
        **{
            **fields,
            "source": Position(*carried.source),
            "text": text,
            "tensors": _arrays(carried.tensors),
        }
    )


def _arrays(tensors: Sequence[_Tensor]) -> dict[str, np.ndarray[Any, Any]]:
    if not tensors:
        return {}
    import numpy as np

    return {each.name: np.frombuffer(each.data, np.dtype(each.dtype)).reshape(each.shape) for each in tensors}
