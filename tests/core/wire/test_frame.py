"""Frames: what goes into one comes out, whatever it is; what is none is said to be none."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.core.errors import RecordError
from headrace.core.experiments.experiment import Assigned
from headrace.core.record import Position, Record
from headrace.core.routing.decision import Candidate, Decision
from headrace.core.routing.slip import Slip
from headrace.core.wire.errors import FrameUnreadableError, NotPlainError, TooDeepError
from headrace.core.wire.frame import FORMAT, decode_frame, encode_frames, encode_record, records_in, split_frame
from tests.support.made import headers, json_values, keys, record, texts

HEAD_BYTES = 8
PLENTY = 1 << 30

big = st.integers(-(2**200), 2**200)
values = json_values | big | st.lists(big, max_size=3) | st.dictionaries(texts, big, max_size=3)
objects = st.none() | st.dictionaries(texts, values, max_size=3)
shapes = st.lists(st.integers(0, 3), max_size=3)
dtypes = st.sampled_from(["<f4", "<f2", "<f8", "<i8", "<i4", "|u1", "|b1", ">f4", ">i8"])


@st.composite
def arrays(draw: st.DrawFn, dtype: str | None = None) -> np.ndarray[Any, Any]:
    """Any small array, its bytes chosen freely: NaN and infinities of every kind are among them."""
    kind, shape = np.dtype(dtype or draw(dtypes)), tuple(draw(shapes))
    count = int(np.prod(shape, dtype=int)) * kind.itemsize
    data = draw(st.binary(min_size=count, max_size=count))
    if kind.kind == "b":
        data = bytes(byte & 1 for byte in data)
    return np.frombuffer(data, kind).reshape(shape)


names = st.text(min_size=1, max_size=8)
candidates = st.builds(
    Candidate,
    model=names,
    accept_if=st.none() | st.floats(0, 1) | texts,
    version=st.none() | names,
    stage=st.none() | names,
    parts=st.integers(1, 4),
)
decisions = st.builds(
    Decision,
    combine=st.sampled_from(["single", "cascade", "chain"]),
    steps=st.lists(candidates, min_size=1, max_size=3).map(tuple),
    reason=texts,
    propensity=st.none() | st.floats(0, 1),
    scores=st.none() | st.dictionaries(names, st.floats(0, 1), max_size=2),
)
slips = st.builds(
    Slip,
    policy=names,
    decision=decisions,
    at=st.none() | st.just(0),
    path=st.lists(names, max_size=2).map(tuple),
    reason=texts,
    outputs=st.dictionaries(names, st.dictionaries(names, values, max_size=2), max_size=2),
    text=st.none() | texts,
    part=st.integers(0, 3),
    version=st.none() | names,
)


fields = st.fixed_dictionaries(
    {"text": texts},
    optional={
        "id": texts,
        "source": st.builds(Position, texts, st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 1)),
        "key": keys,
        "unit": st.none() | texts,
        "value": values,
        "headers": headers,
        "tags": st.dictionaries(texts, texts, max_size=3),
        "tensors": st.dictionaries(names, arrays(), max_size=2),
        "timestamp_ms": st.integers(-1, 2**63 - 1),
        "deadline_ms": st.none() | st.integers(-(2**62), 2**62),
        "status": st.sampled_from(["ok", "filtered", "expired", "fallback"]),
        "reason": st.none() | texts,
        "output": objects,
        "slip": slips,
        "experiments": st.lists(st.builds(Assigned, names, st.integers(1, 9), names), max_size=2).map(tuple),
        "postprocess_of": st.tuples(texts, texts),
        "plan": texts,
        "begun_ms": st.floats(0, 2e12),
        "preprocess_ms": st.floats(0, 1e6),
        "inference_ms": st.floats(0, 1e6),
        "attempt": st.integers(1, 21),
    },
)
records = fields.map(lambda given: record(**cast("dict[str, Any]", given)))
"""A record as any step may have left it."""


def same(one: Record, other: Record) -> None:
    """Refuse any difference between two records; tensors are compared by their bits."""
    assert one.replace(tensors={}) == other.replace(tensors={})
    assert type(one.value) is type(other.value)
    assert list(one.tensors) == list(other.tensors)
    for name, array in one.tensors.items():
        got = other.tensors[name]
        assert (got.shape, got.dtype) == (array.shape, array.dtype.newbyteorder("<"))
        assert got.tobytes() == array.astype(got.dtype).tobytes()


def unpacked(frames: Sequence[tuple[bytes, int]]) -> list[Record]:
    found = [each for data, _ in frames for each in decode_frame(data).records]
    return [each for each in found if isinstance(each, Record)]


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=100)
@given(st.lists(records, min_size=1, max_size=3), st.integers(1, 2_000))
def test_a_batch_survives_wherever_it_is_cut(batch: list[Record], max_bytes: int) -> None:
    packed = [encode_record(each) for each in batch]
    frames = list(encode_frames("a1b2", "ingress", packed, max_bytes))
    assert sum(count for _, count in frames) == len(batch)
    for data, count in frames:
        frame = decode_frame(data)
        assert (frame.plan, frame.stage, len(frame.records), records_in(data)) == ("a1b2", "ingress", count, count)
    got = unpacked(frames)
    assert len(got) == len(batch)
    for sent, received in zip(batch, got, strict=True):
        same(sent, received)


@given(st.lists(records, min_size=1, max_size=3))
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=30)
def test_a_frame_falls_into_one_for_each_record_and_none_is_changed(batch: list[Record]) -> None:
    ((data, _),) = encode_frames("a1b2", "ingress", [encode_record(each) for each in batch], PLENTY)
    parts = split_frame(data)
    assert [records_in(part) for part in parts] == [1] * len(batch)
    for sent, found in zip(batch, unpacked([(part or b"", 1) for part in parts]), strict=True):
        same(sent, found)
    assert {(frame.plan, frame.stage) for frame in map(decode_frame, parts)} == {("a1b2", "ingress")}


@given(st.none() | st.binary(max_size=60))
def test_what_is_no_frame_stays_whole(data: bytes | None) -> None:
    assert split_frame(data) == [data]


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=12), st.integers(1, 500))
def test_a_frame_holds_no_more_than_it_may_unless_it_is_one_larger_record(raws: list[bytes], max_bytes: int) -> None:
    at = 0
    for _, count in encode_frames("p", "s", raws, max_bytes):
        held = raws[at : at + count]
        assert count == 1 or sum(map(len, held)) <= max_bytes
        if at + count < len(raws):
            assert sum(map(len, held)) + len(raws[at + count]) > max_bytes, "it was full"
        at += count
    assert at == len(raws)


@pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}, 2**64, -(2**70), {"a": [2**100, "\ud83d"]}], ids=ascii)
def test_what_msgpack_cannot_hold_travels_all_the_same(value: Any) -> None:
    sent = record("text", value=value, key=b"\xff\x00", headers=(("a", b"\x80"), ("a", None)), tensors=ROW)
    (received,) = unpacked(list(encode_frames("p", "s", [encode_record(sent)], PLENTY)))
    same(sent, received)


ROW = {"hidden": np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3), "mask": np.array([1, 1, 0])}


def test_the_text_travels_once_when_it_is_the_value() -> None:
    alone = encode_record(record("x" * 1000, value="x" * 1000))
    assert len(alone) < 1200
    (received,) = unpacked(list(encode_frames("p", "s", [alone], PLENTY)))
    assert received.text == received.value == "x" * 1000


@pytest.mark.provokes("HR610")
@pytest.mark.parametrize(
    "fields",
    [{"value": object()}, {"output": {"a": object}}, {"tags": {"a": object()}}, {"value": {1: [object()]}}],
    ids=("value", "output", "tags", "key"),
)
def test_what_is_no_plain_value_is_the_plugin_s_fault(fields: dict[str, Any]) -> None:
    with pytest.raises(NotPlainError, match="cannot travel to another process"):
        encode_record(record("text", **fields))


@pytest.mark.parametrize("wrap", [lambda inner: inner, lambda inner: {"a": [1, (inner, inner)]}], ids=["alone", "in"])
def test_a_value_that_holds_itself_is_the_plugin_s_fault(wrap: Callable[[Any], Any]) -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(NotPlainError):
        encode_record(record("text", value=wrap(value)))


@pytest.mark.provokes("HR524")
@pytest.mark.parametrize("inmost", ["deep", "\ud83d"], ids=["plain", "surrogate"])
def test_a_value_of_too_many_levels_is_its_publisher_s_fault(inmost: str) -> None:
    value: Any = inmost
    for at in range(5_000):
        value = [value] if at % 2 else {"a": value}
    with pytest.raises(TooDeepError) as caught:
        encode_record(record("text", value=value))
    assert isinstance(caught.value, RecordError)


# -- float16


@given(arrays("<f4").map(np.nan_to_num))
def test_halved_tensors_are_half_as_large_and_off_by_a_two_thousandth_at_most(array: np.ndarray[Any, Any]) -> None:
    array = np.clip(array, -60_000, 60_000)
    whole, halved = (
        encode_record(record("t", tensors={"x": array})),
        encode_record(record("t", tensors={"x": array}), "float16"),
    )
    (received,) = unpacked(list(encode_frames("p", "s", [halved], PLENTY)))
    got = received.tensors["x"]
    assert got.dtype == np.float16
    assert got.nbytes * 2 == array.nbytes
    assert len(whole) - len(halved) >= got.nbytes
    # binary16 has 11 significant bits: off by half of the last one; below 2**-14 its steps are 2**-24.
    assert np.all(np.abs(got.astype(np.float64) - array) <= np.maximum(np.abs(array) * 2.0**-11, 2.0**-25))


def test_only_float32_is_halved() -> None:
    tensors = {"mask": np.array([1, 2**40]), "double": np.array([1e300])}
    (received,) = unpacked(list(encode_frames("p", "s", [encode_record(record(tensors=tensors), "float16")], PLENTY)))
    same(record(tensors=tensors), received)


# -- what is no frame


def frame_of(*sent: Record) -> bytes:
    ((data, _),) = encode_frames("p", "s", [encode_record(each) for each in sent], PLENTY)
    return data


GOOD = frame_of(record("one", value={"a": 1}, tensors=ROW), record("two", value="\ud800"), record("three"))


def read_or_refused(data: bytes | None) -> None:
    """Refuse anything but a frame, a frame with errors in it, or the error that says that it is none."""
    assert records_in(data) >= 1
    try:
        frame = decode_frame(data)
    except FrameUnreadableError:
        return
    assert all(isinstance(each, Record | FrameUnreadableError) for each in frame.records)


@given(st.none() | st.binary(max_size=60) | st.binary(max_size=60).map(lambda data: GOOD[:HEAD_BYTES] + data))
def test_garbage_is_no_frame(data: bytes | None) -> None:
    read_or_refused(data)


@given(st.integers(0, len(GOOD) - 1))
@pytest.mark.provokes("HR520")
def test_a_frame_that_was_cut_off_is_refused(length: int) -> None:
    with pytest.raises(FrameUnreadableError):
        decode_frame(GOOD[:length])


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_frame_with_other_bytes_is_read_or_refused(changes: list[tuple[int, int]]) -> None:
    data = bytearray(GOOD)
    for at, byte in changes:
        data[at] = byte
    read_or_refused(bytes(data))


def test_a_frame_of_a_newer_format_says_what_to_do() -> None:
    newer = GOOD[:2] + struct.pack(">B", FORMAT + 1) + GOOD[3:]
    with pytest.raises(FrameUnreadableError, match="format 2; this is 1; update this worker"):
        decode_frame(newer)
    assert records_in(newer) == 3


TENSORS = [
    ("<f4", [2**63], b""),
    ("<f4", [3], b"1234"),
    ("<f4", [-1], b"123"),
    ("O", [1], b"12345678"),
    ("no dtype", [1], b"1"),
    ("(2", [1], b"1"),
]


def _with_tensor(dtype: str, shape: list[int], data: bytes) -> bytes:
    row = msgspec.msgpack.decode(encode_record(record("t", tensors={"x": np.zeros(1)})))
    (at,) = [number for number, each in enumerate(row) if each == [["x", "<f8", [1], bytes(8)]]]
    row[at] = [["x", dtype, shape, data]]
    return msgspec.msgpack.encode(row)


def test_a_damaged_record_is_an_error_and_the_others_are_read() -> None:
    good = encode_record(record("good"))
    odd = [b"", b"\xc1", good[:-3], good + b"x", b"[", b"[1]", json.dumps({"id": 1}).encode(), b"[" * 100_000]
    odd += [_with_tensor(*tensor) for tensor in TENSORS]
    for raw in odd:
        ((data, _),) = encode_frames("p", "s", [good, raw, good], PLENTY)
        first, bad, last = decode_frame(data).records
        assert isinstance(first, Record)
        assert isinstance(last, Record)
        assert isinstance(bad, FrameUnreadableError), raw[:20]


def test_a_number_of_records_that_is_not_true_is_refused() -> None:
    with pytest.raises(FrameUnreadableError, match="another number of records"):
        decode_frame(GOOD[:4] + struct.pack(">I", 2) + GOOD[8:])


@pytest.mark.parametrize("data", [None, b"", b"HR", b"{}", b'{"text": "somebody else\'s message"}'])
def test_what_is_no_frame_counts_as_one_record(data: bytes | None) -> None:
    assert records_in(data) == 1
