"""Numbers straight from the text: what is read so is what Python's JSON says, and all that is odd is left to that."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace import Message, Position, TensorSpec
from headrace.plugins.codecs.tensor import TensorCodec, TensorOptions
from headrace.plugins.codecs.tensor_numbers import Numbers, numbers_of

X = TensorSpec(name="x", dtype="float32", shape=(3,))
S = TensorSpec(name="s", dtype="float64", shape=(1, 2))
LISTS = (
    "[1,2,3]",
    "[1, 2.5, -3e2]",
    "[4,5]",
    "[[1,2]]",
    "[1,2,[3]]",
    "[1e39,2,3]",
    '["[",1,2]',
    "[true,2,3]",
    "[]",
    "7",
)
NAMES = ('"x"', '"s"', '"\\u0078"', '"a"', '"["', '"x]"')
MEMBERS = st.tuples(st.sampled_from(NAMES), st.sampled_from((*LISTS, '"x"', '"]"', "null", '{"x":[1,2,3]}')))
TEXTS = st.lists(MEMBERS, max_size=5).map(lambda some: "{" + ", ".join(f"{name}: {it}" for name, it in some) + "}")


def message(text: str | bytes, headers: Any = ()) -> Message:
    return Message(Position("t", 0, 0), None, text.encode() if isinstance(text, str) else text, headers, 0)


def numbers(*tensors: tuple[TensorSpec, tuple[str, ...]]) -> Numbers:
    found = numbers_of(tensors)
    assert found is not None
    return found


def usual(text: str, tensors: list[tuple[TensorSpec, tuple[str, ...]]]) -> list[bytes] | None:
    """What the long way makes of it."""
    said = {one.name: {"dtype": one.dtype, "shape": one.shape, "path": ".".join(path)} for one, path in tensors}
    reader = TensorCodec(TensorOptions.model_validate({"tensors": said}))
    try:
        return [reader.decode(message(text)).tensors[one.name].tobytes() for one, _ in tensors]
    except Exception:
        return None


@given(TEXTS, st.sampled_from(([(X, ("x",))], [(X, ("x",)), (S, ("s",))], [(X, ("a", "x"))])))
def test_what_is_read_straight_is_what_the_long_way_reads(
    text: str, tensors: list[tuple[TensorSpec, tuple[str, ...]]]
) -> None:
    found = numbers(*tensors).columns([message(text)])
    if found is not None and all(np.isfinite(column).all() for column in found):
        assert [column.tobytes() for column in found] == usual(text, tensors)


FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(st.lists(st.lists(FLOATS, min_size=3, max_size=3), min_size=1))
def test_a_batch_of_plain_messages_is_read_straight(rows: list[list[float]]) -> None:
    texts = [json.dumps({"id": at, "in": {"x": row}, "note": "x in x"}) for at, row in enumerate(rows)]
    (column,) = numbers((X, ("in", "x"))).columns([message(text) for text in texts]) or (None,)
    assert column is not None
    assert column.dtype == np.float32
    assert column.tobytes() == b"".join(struct.pack("<3f", *row) for row in rows)


@pytest.mark.parametrize(
    "text",
    [
        '{"x": [1,2,3], "x": 7}',  # Python takes the last one
        '{"x": [1,2,3], "x": [4,5,6]}',
        '{"x": [1,2,3], "\\u0078": [4,5,6]}',
        '{"x": [1,2,3], "note": "\\u0078"}',
        '{"x": [[1,2],[3]]}',
        '{"x": [1,2,3], "more": [1]}',
        '{"x": [1,2]}',
        '{"x": [1,2,true]}',
        '{"x": [1,2,"3"]}',
        '{"x": [1,2,123456789012345678901234567890]}',
        '{"x": [1,2,3]',
        '{"x": 1}',
        '{"y": [1,2,3]}',
        "[1,2,3]",
        "",
        b'{"x": [1,2,3], "note": "\xff"}',
    ],
)
def test_what_is_out_of_the_ordinary_is_read_the_long_way(text: str | bytes) -> None:
    reader = numbers((X, ("x",)))
    plain = message('{"x": [1,2,3]}')
    assert reader.columns([plain, message(text), plain]) is None
    assert reader.columns([plain]) is not None  # nothing of it is left


def test_an_event_in_a_message_is_read_the_long_way() -> None:
    event = (("content-type", b"application/cloudevents+json"),)
    text = '{"x": [1,2,3]}'
    assert numbers((X, ("x",))).columns([message(text, event)]) is None
    assert numbers((X, ("x",))).columns([message(text, (("content-type", b"application/json"),))]) is not None


def test_the_whole_value_may_be_the_list() -> None:
    (column,) = numbers((X, ())).columns([message(" [1, 2, 3] ")]) or (None,)
    assert column is not None
    assert column.tolist() == [[1, 2, 3]]


@pytest.mark.parametrize(
    "tensors",
    [
        [(TensorSpec(name="x", dtype="int64", shape=(3,)), ("x",))],
        [(TensorSpec(name="x", dtype="float32", shape=(-1,)), ("x",))],
        [(X, ("x",)), (TensorSpec(name="y", dtype="float32", shape=(3,)), ("x",))],  # two of one list
    ],
)
def test_what_may_be_cut_off_or_has_any_size_is_never_read_straight(tensors: Any) -> None:
    assert numbers_of(tensors) is None
