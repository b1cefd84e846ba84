"""Many messages at once: what is read together is what each message gives when it is read alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headrace import Content, Message, Position, RecordError
from headrace.core.late import Late
from headrace.core.wire.incoming import Intake
from headrace.plugins.codecs.tensor import TensorCodec, TensorOptions
from headrace.streams.ingress import Decode
from headrace.streams.slot import Slot

DTYPES = ("float16", "float32", "float64", "int8", "int64", "uint8", "uint64", "bool")
NUMBERS = st.integers(-3, 300) | st.floats() | st.sampled_from((True, 2**64, 10**400, 1e39, 65_520, None, "1", [1]))
LISTS = st.lists(NUMBERS, min_size=3, max_size=5) | st.lists(st.lists(st.integers(0, 9), max_size=3), max_size=3)
FINE = st.lists(st.integers(0, 100), min_size=4, max_size=4) | st.just([[1, 2], [3, 4]])
VALUES = st.fixed_dictionaries(
    {}, optional={"x": FINE | LISTS, "s": FINE | st.none(), "flag": st.booleans(), "fu": st.just("true")}
)
HEADERS = st.sampled_from(((), (("trace", b"1"),), (("tensor.shape", b"4"),), (("tensor.dtype", b"INT8"),)))


def messages(values: Sequence[bytes | None], headers: Sequence[Any] = ()) -> list[Message]:
    said = [*headers, *[()] * len(values)]
    return [Message(Position("t", 0, at), None, value, said[at], 0) for at, value in enumerate(values)]


def codec(
    dtype: str, encoding: str, *, allow_nan: bool, shapes: Sequence[Sequence[int]] = ((4,), (2, 2))
) -> TensorCodec:
    tensors = {name: {"dtype": dtype, "shape": shape} for name, shape in zip("xs", shapes, strict=False)}
    return TensorCodec(TensorOptions.model_validate({"tensors": tensors, "encoding": encoding, "allow_nan": allow_nan}))


def shown(content: Content) -> Any:
    arrays = {name: (array.dtype.name, array.shape, array.tobytes()) for name, array in content.tensors.items()}
    value = content.value.value if isinstance(content.value, Late) else content.value
    return value, content.attributes, arrays


def alone(reader: TensorCodec, given_: Sequence[Message]) -> list[Any] | None:
    try:
        return [shown(reader.decode(message)) for message in given_]
    except RecordError:
        return None


def together(reader: TensorCodec, given_: Sequence[Message]) -> list[Any] | None:
    try:
        found = reader.decode_all(given_)
    except Exception:
        return None
    return None if found is None else [shown(content) for content in found]


@given(st.lists(VALUES, min_size=1, max_size=4), st.sampled_from(DTYPES), st.booleans())
def test_lists_read_together_are_what_each_message_gives(
    values: list[dict[str, Any]], dtype: str, allow_nan: bool
) -> None:
    reader = codec(dtype, "json", allow_nan=allow_nan)
    given_ = messages([json.dumps(value).encode() for value in values])
    assert together(reader, given_) == alone(reader, given_)
    reader.keeps_values = False  # then they are made again
    assert together(reader, given_) == alone(reader, given_)


@given(
    st.lists(st.binary(min_size=8, max_size=8) | st.binary(max_size=9), min_size=1, max_size=4),
    st.lists(HEADERS, max_size=4),
    st.sampled_from(("int8", "uint8", "bool")),
)
def test_bytes_read_together_are_what_each_message_gives(values: list[bytes], headers: list[Any], dtype: str) -> None:
    reader = codec(dtype, "raw", allow_nan=False)
    given_ = messages(values, headers[: len(values)])
    found = together(reader, given_)
    assert found is None or found == alone(reader, given_)
    if dtype != "bool" and all(len(value) == 8 for value in values) and not any(headers[: len(values)]):
        assert found is not None


@given(st.lists(st.lists(st.floats(width=32), min_size=4, max_size=4), min_size=1, max_size=4), st.booleans())
def test_a_number_that_is_not_finite_is_not_let_through_among_others(rows: list[list[float]], allow_nan: bool) -> None:
    reader = codec("float32", "raw", allow_nan=allow_nan, shapes=((4,),))
    given_ = messages([np.array(row, "<f4").tobytes() for row in rows])
    assert together(reader, given_) == alone(reader, given_)


def test_tensors_without_axes_or_with_a_free_one_are_read_one_by_one() -> None:
    for shape in ((), (-1,)):
        for encoding in ("json", "raw"):
            assert codec("float32", encoding, allow_nan=False, shapes=(shape,)).decode_all([]) is None


def test_the_messages_of_a_batch_share_an_array() -> None:
    values = [np.full(4, at, "<f4").tobytes() for at in range(3)]
    found = codec("float32", "raw", allow_nan=False, shapes=((4,),)).decode_all(messages(values))
    assert found is not None
    assert all(np.shares_memory(found[0].tensors["x"].base, one.tensors["x"]) for one in found)
    assert not found[0].tensors["x"].flags.writeable


# -- the stage that decodes


VALUE = st.none() | st.binary(max_size=4) | st.integers(0, 9).map(lambda at: np.full(4, at, "<f4").tobytes())


@given(st.lists(VALUE, max_size=6))
def test_one_bad_message_leaves_its_neighbours_as_they_are(values: list[bytes | None]) -> None:
    reader = codec("float32", "raw", allow_nan=False, shapes=((4,),))
    found = [Slot(message) for message in messages(values)]
    Decode(reader, "tensor", Intake()).run(found, 0.0)
    for slot, value in zip(found, values, strict=True):
        (alone_,) = [Slot(slot.message)]
        Decode(reader, "tensor", Intake()).run([alone_], 0.0)
        assert (slot.failure is None) == (slot.record is not None) == (value is not None and len(value) == 16)
        assert slot.failure == alone_.failure
        if slot.record is not None and alone_.record is not None:
            assert slot.record.tensors["x"].tolist() == alone_.record.tensors["x"].tolist()


class Counted:
    """A codec that reads one by one, and counts."""

    def __init__(self) -> None:
        self.seen: list[bytes | None] = []

    def decode(self, message: Message) -> Content:
        """Fail on every second one."""
        self.seen.append(message.value)
        if message.position.offset % 2:
            raise SystemExit(3)
        return Content("text")


def test_a_codec_sees_each_message_once_whatever_becomes_of_its_neighbours() -> None:
    counted, found = Counted(), [Slot(message) for message in messages([b"a", b"b", None, b"c", b"d"])]
    Decode(counted, "counted", Intake()).run(found, 0.0)
    assert counted.seen == [b"a", b"b", b"c", b"d"]
    assert [slot.failure and slot.failure.code for slot in found] == [None, "HR501", "HR502", "HR501", None]
