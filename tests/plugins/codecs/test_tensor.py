"""The codec `tensor`: lists and raw bytes come out as the arrays that they were, garbage as one of four errors."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn
from jsonschema import Draft202012Validator

from headrace import Content, Message, Position, RecordError
from headrace.core.tensor import DTYPE_HEADER, SHAPE_HEADER
from headrace.core.wire.cloudevents import result_headers
from headrace.core.wire.incoming import Intake, to_record
from headrace.plugins.codecs.errors import (
    NotJsonError,
    TensorDtypeError,
    TensorMissingError,
    TensorNotFiniteError,
    TensorShapeError,
)
from headrace.plugins.codecs.tensor import TensorCodec, TensorOptions

MakeMessage = Callable[..., Message]
DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
LARGE = 10**17
HEADERS = st.lists(st.tuples(st.sampled_from(("tensor.dtype", "tensor.shape", "x")), st.text(max_size=30)), max_size=4)
SHAPES = st.lists(st.sampled_from((-1, 1, 2)), max_size=3)
ROWS = st.lists(st.floats(-9, 9), max_size=7)


def codec(tensors: dict[str, Any], **options: Any) -> TensorCodec:
    return TensorCodec(TensorOptions.model_validate({"tensors": tensors, **options}))


def raw(value: bytes, *headers: tuple[str, str]) -> Message:
    given = tuple((name, text.encode()) for name, text in headers)
    return Message(Position("digits", 0, 7), None, value, given, 0)


def arrays(dtype: str, **more: Any) -> st.SearchStrategy[np.ndarray[Any, Any]]:
    shapes = hn.array_shapes(max_dims=3, max_side=4)
    finite = {"elements": {"allow_nan": False, "allow_infinity": False}} if dtype.startswith("float") else {}
    return hn.arrays(np.dtype(dtype), shapes, **{**finite, **more})


any_array = st.sampled_from((*DTYPES, "bool")).flatmap(arrays)


def declared(array: np.ndarray[Any, Any], **more: Any) -> dict[str, Any]:
    return {"dtype": array.dtype.name, "shape": list(array.shape), **more}


def same(found: Any, array: np.ndarray[Any, Any]) -> bool:
    return found.dtype == array.dtype and found.shape == array.shape and bool((found == array).all())


# -- round trips


@given(array=any_array)
def test_nested_lists_come_out_as_the_array_that_they_were(message: MakeMessage, array: np.ndarray[Any, Any]) -> None:
    value = {"x": array.tolist(), "id": 1}
    content = codec({"x": declared(array)}).decode(message(json.dumps(value).encode()))
    assert same(content.tensors["x"], array)
    assert content.value == value


@given(array=any_array)
def test_a_flat_list_is_read_row_by_row(message: MakeMessage, array: np.ndarray[Any, Any]) -> None:
    reader = codec({"x": declared(array, path="in.pixels")})
    content = reader.decode(message(json.dumps({"in": {"pixels": array.ravel().tolist()}}).encode()))
    assert same(content.tensors["x"], array)


@given(array=any_array)
def test_free_axes_take_the_size_of_the_lists(message: MakeMessage, array: np.ndarray[Any, Any]) -> None:
    reader = codec({"x": {"dtype": array.dtype.name, "shape": [-1] * array.ndim, "path": ""}})
    assert same(reader.decode(message(json.dumps(array.tolist()).encode())).tensors["x"], array)


@given(one=any_array, other=any_array, says=st.booleans())
def test_raw_bytes_come_out_as_the_arrays_that_they_were(
    one: np.ndarray[Any, Any], other: np.ndarray[Any, Any], says: bool
) -> None:
    headers = [("tensor.dtype", array.dtype.name) for array in (one, other)] if says else []
    headers += [("tensor.shape", ",".join(map(str, array.shape))) for array in (one, other)] if says else []
    value = b"".join(array.astype(array.dtype.newbyteorder("<")).tobytes() for array in (one, other))
    content = codec({"a": declared(one), "b": declared(other)}, encoding="raw").decode(raw(value, *headers))
    assert list(content.tensors) == ["a", "b"]
    assert same(content.tensors["a"], one)
    assert same(content.tensors["b"], other)
    assert content.value is None


def test_raw_bytes_are_not_copied() -> None:
    value = np.arange(784, dtype="<f4").tobytes()
    found = codec({"x": {"dtype": "FP32", "shape": [28, 28]}}, encoding="raw").decode(raw(value)).tensors["x"]
    assert np.shares_memory(found, np.frombuffer(value, "u1"))
    assert not found.flags.writeable


@given(rows=st.integers(1, 9), columns=st.integers(1, 9))
def test_free_axes_of_raw_tensors_follow_from_the_length_or_the_header(rows: int, columns: int) -> None:
    value = np.ones((rows, columns), "<f4").tobytes()
    one = codec({"x": {"dtype": "float32", "shape": [-1, columns]}}, encoding="raw")
    assert one.decode(raw(value)).tensors["x"].shape == (rows, columns)
    both = codec({"x": {"dtype": "float32", "shape": [-1, -1]}}, encoding="raw")
    assert both.decode(raw(value, ("tensor.shape", f"[{rows}, {columns}]"))).tensors["x"].shape == (rows, columns)
    with pytest.raises(TensorShapeError, match="2 axes of the tensors are free"):
        both.decode(raw(value))


def test_a_scalar_has_no_axes(message: MakeMessage) -> None:
    assert codec({"x": {"dtype": "int64", "shape": []}}).decode(message(b'{"x": 7}')).tensors["x"] == 7
    assert codec({"x": {"dtype": "int8", "shape": []}}, encoding="raw").decode(raw(b"\x07")).tensors["x"] == 7


# -- garbage


@given(value=st.binary(max_size=64), headers=HEADERS)
@pytest.mark.parametrize("shape", [[2, 3], [-1, 3], [-1, -1], []])
@pytest.mark.parametrize("dtype", ["float32", "bool"])
def test_noise_is_a_tensor_or_a_record_error_and_never_anything_else(
    dtype: str, shape: list[int], value: bytes, headers: list[tuple[str, str]]
) -> None:
    with suppress(RecordError):
        found = codec({"x": {"dtype": dtype, "shape": shape}}, encoding="raw").decode(raw(value, *headers))
        assert found.tensors["x"].nbytes == len(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
)


@given(value=JSON | st.fixed_dictionaries({"x": JSON}), dtype=st.sampled_from((*DTYPES, "bool")), shape=SHAPES)
def test_any_json_is_a_tensor_or_a_record_error_and_never_anything_else(
    message: MakeMessage, value: Any, dtype: str, shape: list[int]
) -> None:
    with suppress(RecordError):
        found = codec({"x": {"dtype": dtype, "shape": shape}}).decode(message(json.dumps(value).encode()))
        assert all(want in (-1, size) for want, size in zip(shape, found.tensors["x"].shape, strict=True))


@pytest.mark.provokes("HR525")
@pytest.mark.parametrize("value", [b"{}", b'{"x": null}', b"[1, 2]", b'"text"', b"7"])
def test_a_tensor_that_is_not_there(message: MakeMessage, value: bytes) -> None:
    with pytest.raises(TensorMissingError, match="tensor 'x' has nothing at 'x'"):
        codec({"x": {"dtype": "float32", "shape": [2]}}).decode(message(value))


@pytest.mark.provokes("HR526")
@pytest.mark.parametrize(
    ("dtype", "value", "fault"),
    [
        ("float32", '["1.5", 2]', "holds other things than numbers"),
        ("float32", "[true, 2]", "holds other things than numbers"),
        ("float32", "[null, 2]", "holds other things than numbers"),
        ("float32", "[[1], 2]", "uneven|numbers"),
        ("float32", '"12"', "is no list"),
        ("float64", f"[1, {10**400}]", "beyond all floats|holds other things"),
        ("int64", "[1.5, 2]", "other things than whole numbers"),
        ("int8", "[1, 128]", "are no int8"),
        ("uint8", "[1, -1]", "are no uint8"),
        ("bool", "[1, 0]", "other things than true and false"),
    ],
)
def test_numbers_of_another_type(message: MakeMessage, dtype: str, value: str, fault: str) -> None:
    with pytest.raises((TensorDtypeError, NotJsonError), match=fault) as caught:
        codec({"x": {"dtype": dtype, "shape": [2]}}).decode(message(f'{{"x": {value}}}'.encode()))
    assert caught.value.mend


@pytest.mark.provokes("HR527")
@pytest.mark.parametrize(
    ("shape", "value"),
    [
        ([2], "[1]"),
        ([2], "[1, 2, 3]"),
        ([2], "[]"),
        ([2, 2], "[[1, 2], [3]]"),
        ([2, 2], "[[1, 2]]"),
        ([2, 2], "[[1, 2], 3]"),
        ([-1], "[]"),
        ([-1, 2], "[1, 2, 3]"),
        ([-1, -1], "[1, 2]"),
        ([2, 2], "[[], []]"),
    ],
)
def test_lists_of_another_shape(message: MakeMessage, shape: list[int], value: str) -> None:
    with pytest.raises(TensorShapeError) as caught:
        codec({"x": {"dtype": "float32", "shape": shape}}).decode(message(f'{{"x": {value}}}'.encode()))
    assert "'x'" in caught.value.fault


@pytest.mark.parametrize(
    ("headers", "error", "fault"),
    [
        ([], TensorShapeError, "the value has 7 bytes, and its tensors have 8"),
        ([(SHAPE_HEADER, f"{LARGE},{LARGE}")], TensorShapeError, "says"),
        ([(SHAPE_HEADER, "2,1")], TensorShapeError, "says '2,1' of tensor 'x'"),
        ([(SHAPE_HEADER, "-2")], TensorShapeError, "says '-2'"),
        ([(SHAPE_HEADER, "9" * 5000)], TensorShapeError, "says"),
        ([(SHAPE_HEADER, "2"), (SHAPE_HEADER, "2")], TensorShapeError, "2 headers tensor.shape, and 1 tensors"),
        ([(DTYPE_HEADER, "float64")], TensorDtypeError, "says 'float64' of tensor 'x'"),
        ([(DTYPE_HEADER, "object")], TensorDtypeError, "says 'object'"),
    ],
)
def test_raw_tensors_of_another_length_type_or_shape(
    headers: list[tuple[str, str]], error: type[RecordError], fault: str
) -> None:
    with pytest.raises(error) as caught:
        codec({"x": {"dtype": "float32", "shape": [2]}}, encoding="raw").decode(raw(b"1234567", *headers))
    assert fault in caught.value.fault


def test_a_shape_that_is_larger_than_any_memory_costs_none() -> None:
    reader = codec({"x": {"dtype": "float32", "shape": [-1, -1]}}, encoding="raw")
    with pytest.raises(TensorShapeError, match="the value has 8 bytes, and its tensors have 40,000,"):
        reader.decode(raw(b"12345678", (SHAPE_HEADER, f"{LARGE},{LARGE}")))


def test_raw_booleans_are_zeros_and_ones() -> None:
    reader = codec({"x": {"dtype": "bool", "shape": [2]}}, encoding="raw")
    assert reader.decode(raw(b"\x00\x01")).tensors["x"].tolist() == [False, True]
    with pytest.raises(TensorDtypeError, match="bytes other than 0 and 1"):
        reader.decode(raw(b"\x00\x02"))


@pytest.mark.provokes("HR528")
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_nan_is_refused_at_its_place_unless_it_is_allowed(bad: float) -> None:
    value = np.array([[1, 2], [bad, 4]], "<f4").tobytes()
    tensors = {"x": {"dtype": "float32", "shape": [2, 2]}}
    with pytest.raises(TensorNotFiniteError, match="tensor 'x' has no finite float32 at 2"):
        codec(tensors, encoding="raw").decode(raw(value))
    assert codec(tensors, encoding="raw", allow_nan=True).decode(raw(value)).tensors["x"].shape == (2, 2)


def test_a_number_beyond_the_type_is_not_infinity(message: MakeMessage) -> None:
    with pytest.raises(TensorNotFiniteError, match="no finite float32 at 1"):
        codec({"x": {"dtype": "float32", "shape": [2]}}).decode(message(b'{"x": [1, 1e300]}'))


@given(secret=st.from_regex(r"[a-z]{12}", fullmatch=True))
def test_an_error_never_repeats_the_payload(message: MakeMessage, secret: str) -> None:
    with pytest.raises(RecordError) as caught:
        codec({"x": {"dtype": "float32", "shape": [2]}}).decode(message(json.dumps({"x": [secret, 1]}).encode()))
    assert secret not in str(caught.value)


# -- around it


def test_an_event_in_structured_mode_is_unwrapped(message: MakeMessage) -> None:
    event = {"specversion": "1.0", "id": "7", "source": "/scanner", "type": "digit", "data": {"x": [1, 2]}}
    content = codec({"x": {"dtype": "float32", "shape": [2]}}).decode(
        message(json.dumps(event).encode(), content_type="application/cloudevents+json")
    )
    assert content.tensors["x"].tolist() == [1, 2]
    assert content.attributes["source"] == "/scanner"


def test_a_record_has_the_tensors_and_its_result_not_their_headers() -> None:
    reader = codec({"x": {"dtype": "float32", "shape": [1]}}, encoding="raw")
    sent = raw(b"\x00\x00\x80\x3f", (DTYPE_HEADER, "FP32"), (SHAPE_HEADER, "1"), ("mine", "stays"))
    record = to_record(sent, reader.decode(sent), Intake())
    assert record.tensors["x"].tolist() == [1]
    names = [name for name, _ in result_headers(record, {"pipeline": "p", "time": "t"}, output="o")]
    assert "mine" in names
    assert not {DTYPE_HEADER, SHAPE_HEADER} & set(names)


@pytest.mark.parametrize("shape", [[2, 3], [-1, 3], [4]])
@given(value=st.fixed_dictionaries({"x": st.lists(ROWS, max_size=3) | ROWS}))
def test_what_the_codec_takes_the_schema_takes(message: MakeMessage, shape: list[int], value: Any) -> None:
    reader = codec({"x": {"dtype": "float32", "shape": shape}})
    (shown,) = reader.shapes({})
    content: Content | None = None
    with suppress(RecordError):
        content = reader.decode(message(json.dumps(value).encode()))
    assert content is None or Draft202012Validator(shown.body).is_valid(value)
