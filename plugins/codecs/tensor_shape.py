"""What messages with tensors look like, as JSON Schemas for those who publish them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from headrace import MessageShape, TensorSpec
from headrace.core.schema.document import Schema
from headrace.core.schema.incoming import KEY, put
from headrace.core.schema.messages import open_schema
from headrace.core.tensor import FREE
from headrace.core.wire.headers import MessageHeaders, TensorHeaders

__all__ = ["json_shapes", "raw_shapes"]


def json_shapes(value: Mapping[str, Any], tensors: Sequence[tuple[TensorSpec, tuple[str, ...]]]) -> list[MessageShape]:
    """Return the messages whose tensors are lists in JSON.

    Args:
        value: JSON Schema of what else is read of a value.
        tensors: what they are, and where.
    """
    body: Schema = deepcopy(dict(value))
    for spec, path in tensors:
        if path:
            put(body, path, _lists(spec), required=True)
        else:
            body.update(_lists(spec))
    summary = "One record: its tensors are lists of numbers, nested as their shapes are, or flat in row-major order."
    return [MessageShape("tensors", summary, body=body, headers=open_schema(MessageHeaders), key=KEY)]


def raw_shapes(tensors: Sequence[TensorSpec]) -> list[MessageShape]:
    """Return the messages whose value is the tensors' bytes."""
    said = ", then ".join(map(str, tensors))
    return [
        MessageShape(
            "raw-tensors",
            f"One record: {said}; little-endian, row-major, without anything between.",
            headers=open_schema(TensorHeaders),
            key=KEY,
            content_type="application/octet-stream",
        )
    ]


def _lists(spec: TensorSpec) -> Schema:
    """Return the schema of lists that are nested as the shape is, or flat."""
    leaf: Schema = {"type": _kind(spec)}
    if not spec.shape:
        return leaf
    nested = leaf
    for size in reversed(spec.shape):
        nested = {"type": "array", "items": nested, **_length(size)}
    if len(spec.shape) == 1:
        return {**nested, "description": str(spec)}
    flat = {"type": "array", "items": leaf, **_length(spec.size_bytes // spec.itemsize if spec.is_fixed else FREE)}
    return {"description": str(spec), "anyOf": [nested, flat]}


def _kind(spec: TensorSpec) -> str:
    return "boolean" if spec.dtype == "bool" else "number" if spec.dtype.startswith("float") else "integer"


def _length(size: int) -> Schema:
    return {"minItems": 1} if size == FREE else {"minItems": size, "maxItems": size}
