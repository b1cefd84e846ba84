"""From the bytes of a message to arrays that look at them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from headrace import Message, TensorSpec
from headrace.core.record import Headers
from headrace.core.tensor import DTYPE_HEADER, FREE, MOST_AXES, SHAPE_HEADER, dtype_named
from headrace.plugins.codecs.errors import TensorDtypeError, TensorShapeError
from headrace.plugins.codecs.tensor_finite import refuse_infinite

if TYPE_CHECKING:
    import numpy as np

__all__ = ["RawReader"]

_SHAPE = re.compile(r"\[?\s*(\d{1,18}(?:\s*,\s*\d{1,18})*)?\s*\]?", re.ASCII)
_Shapes = Sequence[tuple[int, ...]]


class RawReader:
    """Reads raw tensors, one after the other in the order of the file.

    Args:
        specs: what they are.
        allows_nan: whether NaN and infinities are read as well.
    """

    def __init__(self, specs: Sequence[TensorSpec], *, allows_nan: bool = False) -> None:
        self._specs = specs
        self._judged = frozenset(spec.name for spec in specs if spec.dtype.startswith("float") and not allows_nan)
        self._shapes = tuple(spec.shape for spec in specs)
        self._free = sum(shape.count(FREE) for shape in self._shapes)

    def read(self, message: Message) -> dict[str, np.ndarray[Any, Any]]:
        """Return the arrays of a message, by name; they are read-only and hold its bytes.

        Raises:
            TensorDtypeError: HR526.
            TensorShapeError: HR527.
            TensorNotFiniteError: HR528.
        """
        import numpy as np

        value = message.value or b""
        shapes = self._said(message.headers) if message.headers else self._shapes
        if shapes is not self._shapes or self._free:
            shapes = self._filled(shapes, len(value))
        sizes = [prod(shape) for shape in shapes]
        whole = sum(size * spec.itemsize for size, spec in zip(sizes, self._specs, strict=True))
        if whole != len(value):
            raise TensorShapeError(
                f"the value has {len(value):,} bytes, and its tensors have {whole:,}", mend=f"publish {self._wanted}"
            )
        found, at = {}, 0
        for spec, size, shape in zip(self._specs, sizes, shapes, strict=True):
            dtype = np.dtype(spec.dtype).newbyteorder("<")
            found[spec.name] = _view(value, spec, dtype, at, size).reshape(shape)
            if spec.name in self._judged:
                refuse_infinite(spec.name, found[spec.name])
            at += size * spec.itemsize
        return found

    @property
    def _wanted(self) -> str:
        return " and ".join(map(str, self._specs)) + ", little-endian"

    def _said(self, headers: Headers) -> _Shapes:
        """Return the shapes that the message's own headers say, or the file's; a type that they say has to be right."""
        dtypes = [value for name, value in headers if name == DTYPE_HEADER]
        shapes = [value for name, value in headers if name == SHAPE_HEADER]
        for header, values in ((DTYPE_HEADER, dtypes), (SHAPE_HEADER, shapes)):
            if values and len(values) != len(self._specs):
                raise TensorShapeError(
                    f"the message has {len(values)} headers {header}, and {len(self._specs)} tensors",
                    mend="send one of each a tensor, in order, or none",
                )
        for spec, value in zip(self._specs, dtypes, strict=False):
            said = _text(value)
            if dtype_named(said) != spec.dtype:
                raise TensorDtypeError(
                    f"header {DTYPE_HEADER} says {said[:40]!r} of tensor {spec.name!r}", mend=f"publish {spec}"
                )
        return tuple(self._parsed(shapes)) if shapes else self._shapes

    def _parsed(self, values: Sequence[bytes | None]) -> Iterator[tuple[int, ...]]:
        for spec, value in zip(self._specs, values, strict=True):
            found = _SHAPE.fullmatch(_text(value))
            sizes = tuple(map(int, (found[1] or "").split(","))) if found and found[1] else ()
            if found is None or len(sizes) > MOST_AXES or 0 in sizes or not spec.fits(sizes):
                raise TensorShapeError(
                    f"header {SHAPE_HEADER} says {_text(value)[:40]!r} of tensor {spec.name!r}", mend=f"publish {spec}"
                )
            yield sizes

    def _filled(self, shapes: _Shapes, length: int) -> _Shapes:
        """Return the shapes with what is free in them worked out of the length."""
        free = sum(shape.count(FREE) for shape in shapes)
        if not free:
            return shapes
        if free > 1:
            raise TensorShapeError(
                f"{free} axes of the tensors are free, and nothing says how long they are",
                mend=f"send a header {SHAPE_HEADER} a tensor, such as 3,28",
            )
        fixed = sum(spec.size_bytes for spec, shape in zip(self._specs, shapes, strict=True) if FREE not in shape)
        spec, unit = next(
            (spec, spec.itemsize * prod(size for size in shape if size != FREE))
            for spec, shape in zip(self._specs, shapes, strict=True)
            if FREE in shape
        )
        count, over = divmod(length - fixed, unit)
        if count < 1 or over:
            raise TensorShapeError(
                f"the value has {length:,} bytes, which is no whole number of {unit:,} for the free axis of "
                f"{spec.name!r}",
                mend=f"publish {self._wanted}",
            )
        return [tuple(count if size == FREE else size for size in shape) for shape in shapes]


def _view(value: bytes, spec: TensorSpec, dtype: Any, at: int, size: int) -> np.ndarray[Any, Any]:
    import numpy as np

    if spec.dtype != "bool":
        return np.frombuffer(value, dtype, size, at)
    bits = np.frombuffer(value, "uint8", size, at)
    if bits.max(initial=0) > 1:
        raise TensorDtypeError(f"tensor {spec.name!r} has bytes other than 0 and 1", mend=f"publish {spec}")
    return bits.view("bool")


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace").strip()
