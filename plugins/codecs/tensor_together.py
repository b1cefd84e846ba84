"""The tensors of many messages at once: each tensor is one array, of which every message has a row.

A batch is joined, looked over for NaN and handed to the model as a whole; message by message the same took several
times as long as a small model does.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from headrace import Content, Message, TensorSpec
from headrace.core.late import Late
from headrace.core.tensor import DTYPE_HEADER, SHAPE_HEADER
from headrace.core.tensor_row import TensorRow
from headrace.core.wire.path import follow
from headrace.plugins.codecs.json import decode_json
from headrace.plugins.codecs.tensor_json import CODES, Lists, in_order, may_hold_booleans
from headrace.plugins.codecs.tensor_numbers import numbers_of

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Together", "of_lists", "of_raw"]

_SAID = frozenset((DTYPE_HEADER, SHAPE_HEADER))

Together = Callable[[Sequence[Message]], Sequence[Content] | None]
"""Reads many messages; None, or an error of whatever kind, says only that they have to be read one by one."""


class _Lists(NamedTuple):
    """Where the numbers of one tensor are, and what packs them; None where its type has no such form."""

    spec: TensorSpec
    path: tuple[str, ...]
    size: int
    pack: Callable[..., bytes] | None
    allows_nan: bool

    def packed(self, value: Any, *, has_booleans: bool) -> bytes:
        """Return the bytes of the tensor of one message."""
        if self.pack is not None and not has_booleans:
            flat, shape = in_order(follow(value, self.path) if self.path else value, self.spec)
            if len(flat) == self.size and shape == self.spec.shape:
                return self.pack(*flat)
        return Lists(value, has_booleans, self.allows_nan).read(self.path, self.spec).tobytes()


def of_lists(
    tensors: Sequence[tuple[TensorSpec, tuple[str, ...]]], *, allows_nan: bool, keeps: Callable[[], bool]
) -> Together | None:
    """Return what reads JSON; None where an axis is free, so that no two messages need be alike.

    Args:
        tensors: each with the path of its lists.
        allows_nan: whether numbers that a type can only call infinite are read.
        keeps: whether values are kept, or else made again if somebody asks for them.
    """
    if not _are_alike(spec for spec, _ in tensors):
        return None
    readers = [_reader(spec, path, allows_nan) for spec, path in tensors]
    # Once, and with the first batch: where a file is only checked, simdjson is not to be loaded.
    numbers = cache(partial(numbers_of, tensors))

    def read(messages: Sequence[Message]) -> Sequence[Content] | None:
        contents: list[Content] = []
        is_kept = keeps()
        straight = None if is_kept or allows_nan else numbers()
        found = straight.columns(messages) if straight is not None else None
        if found is not None and all(map(_is_finite, found)):
            by_name = {spec.name: column for (spec, _), column in zip(tensors, found, strict=True)}
            return [
                Content(Late(partial(_value, message)), {}, TensorRow(by_name, at))
                for at, message in enumerate(messages)
            ]
        packed: list[list[bytes]] = [[] for _ in readers]
        for message in messages:
            content = decode_json(message)
            has_booleans = may_hold_booleans(message.value or b"")
            # At once: the lists of a batch are more than a cache holds, and to come back to them costs as much again.
            for reader, rows in zip(readers, packed, strict=True):
                rows.append(reader.packed(content.value, has_booleans=has_booleans))
            contents.append(content if is_kept else Content(Late(partial(_value, message)), content.attributes))
        columns = [
            _column(b"".join(rows), reader.spec, len(messages)) for reader, rows in zip(readers, packed, strict=True)
        ]
        if not (allows_nan or all(map(_is_finite, columns))):
            return None
        by_name = {reader.spec.name: column for reader, column in zip(readers, columns, strict=True)}
        return [
            Content(content.value, content.attributes, TensorRow(by_name, at)) for at, content in enumerate(contents)
        ]

    return read


def of_raw(specs: Sequence[TensorSpec], *, allows_nan: bool) -> Together | None:
    """Return what reads raw bytes; None where an axis is free, or a byte may be none that its type has."""
    if not _are_alike(specs) or any(spec.dtype == "bool" for spec in specs):
        return None
    size = sum(spec.size_bytes for spec in specs)

    def read(messages: Sequence[Message]) -> Sequence[Content] | None:
        import numpy as np

        values = [message.value or b"" for message in messages]
        if any(len(value) != size for value in values) or any(map(_says, messages)):
            return None
        row = np.dtype([(spec.name, np.dtype(spec.dtype).newbyteorder("<"), spec.shape) for spec in specs])
        whole = np.frombuffer(b"".join(values), row)
        columns = {spec.name: whole[spec.name] for spec in specs}
        if not (allows_nan or all(map(_is_finite, columns.values()))):
            return None
        return [Content(None, {}, TensorRow(columns, at)) for at in range(len(messages))]

    return read


def _value(message: Message) -> Any:
    return decode_json(message).value


def _are_alike(specs: Iterable[TensorSpec]) -> bool:
    # The row of a tensor without axes would be a number, not an array.
    return all(spec.is_fixed and spec.shape for spec in specs)


def _reader(spec: TensorSpec, path: tuple[str, ...], allows_nan: bool) -> _Lists:
    size, code = prod(spec.shape), CODES.get(spec.dtype)
    return _Lists(spec, path, size, struct.Struct(f"<{size}{code}").pack if code else None, allows_nan)


def _column(packed: bytes, spec: TensorSpec, count: int) -> np.ndarray[Any, Any]:
    import numpy as np

    return np.frombuffer(packed, np.dtype(spec.dtype).newbyteorder("<")).reshape(count, *spec.shape)


def _is_finite(column: np.ndarray[Any, Any]) -> bool:
    import numpy as np

    return column.dtype.kind != "f" or bool(np.isfinite(column).all())


def _says(message: Message) -> bool:
    """Whether headers say of which type or shape the message's own tensors are."""
    return bool(message.headers) and any(name in _SAID for name, _ in message.headers)
