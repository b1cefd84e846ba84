"""From lists of numbers in a JSON value to an array, with nothing converted by guess."""

from __future__ import annotations

import struct
from itertools import chain
from math import isfinite, prod
from typing import TYPE_CHECKING, Any, NamedTuple

from headrace import TensorSpec
from headrace.core.tensor import FREE
from headrace.core.wire.path import MISSING, follow
from headrace.plugins.codecs.errors import TensorDtypeError, TensorMissingError, TensorShapeError
from headrace.plugins.codecs.tensor_finite import refuse_infinite

if TYPE_CHECKING:
    import numpy as np

__all__ = ["CODES", "Lists", "in_order", "may_hold_booleans"]

_NUMBERS = frozenset((int, float))
_TAKES: dict[bool | str, frozenset[type]] = {"b": frozenset((bool,)), "i": frozenset((int,)), "f": _NUMBERS}
CODES = {"float16": "e", "float32": "f", "float64": "d"} | {
    f"{sign}int{8 * size}": code.upper() if sign else code
    for size, code in {1: "b", 2: "h", 4: "i", 8: "q"}.items()
    for sign in ("", "u")
}
"""What `struct` calls a type."""

_WORDS = {"b": "true and false", "i": "whole numbers", "f": "numbers"}


class Lists(NamedTuple):
    """The JSON value of one message, to read its lists of numbers.

    Attributes:
        value: the value.
        has_booleans: whether it may hold true or false, which pass for numbers in Python.
        allows_nan: whether a number that the type can only call infinite is read all the same.
    """

    value: Any
    has_booleans: bool = True
    allows_nan: bool = False

    def read(self, path: tuple[str, ...], spec: TensorSpec) -> np.ndarray[Any, Any]:
        """Return the array of the lists at a path.

        Args:
            path: where its numbers are, in lists that are nested as its shape is, or in one flat list.
            spec: what it has to be.

        Raises:
            TensorMissingError: HR525.
            TensorDtypeError: HR526.
            TensorShapeError: HR527.
            TensorNotFiniteError: HR528.
        """
        found = follow(self.value, path) if path else self.value
        if found is MISSING or found is None:
            where = f"at {'.'.join(path)!r}" if path else "there"
            raise TensorMissingError(
                f"tensor {spec.name!r} has nothing {where}", mend=f"publish {spec} as lists of numbers {where}"
            )
        flat, shape = in_order(found, spec)
        array = None if self.has_booleans else _packed(flat, spec)
        if array is None:
            array = _array(flat, spec)
            if spec.dtype.startswith("float") and not self.allows_nan:
                refuse_infinite(spec.name, array)
        return array.reshape(_whole(shape, len(flat), spec))


def may_hold_booleans(value: bytes) -> bool:
    """Whether the JSON may hold true or false; to look for a letter first is faster than for two words."""
    return (b"u" in value and b"true" in value) or (b"f" in value and b"false" in value)


def in_order(found: Any, spec: TensorSpec) -> tuple[list[Any], tuple[int, ...]]:
    """Return the numbers in order, and the shape of the lists that they came in; of a flat list the one to be.

    Raises:
        TensorDtypeError: HR526.
        TensorShapeError: HR527.
    """
    if not spec.shape:
        return [found], ()
    if not isinstance(found, list):
        raise TensorDtypeError(f"tensor {spec.name!r} is no list", mend=f"publish {spec} as lists of numbers")
    if len(spec.shape) == 1 or not found or not isinstance(found[0], list):
        return found, spec.shape
    rows, sizes = found, [len(found)]
    for _ in spec.shape[1:]:
        if not all(isinstance(row, list) and len(row) == len(rows[0]) for row in rows):
            raise TensorShapeError(
                f"the lists of tensor {spec.name!r} are uneven", mend=f"publish {spec}, each level evenly"
            )
        sizes.append(len(rows[0]))
        rows = list(chain.from_iterable(rows))
    return rows, tuple(sizes)


def _whole(shape: tuple[int, ...], count: int, spec: TensorSpec) -> tuple[int, ...]:
    """Return the shape with its free axis filled in."""
    fixed = prod(size for size in shape if size != FREE)
    free = shape.count(FREE)
    sizes = tuple(count // fixed if size == FREE else size for size in shape) if fixed and free == 1 else shape
    if FREE in sizes:
        fault = f"tensor {spec.name!r} came in one flat list, and {free} of its axes are free"
        raise TensorShapeError(fault, mend="nest the lists as its shape is")
    if prod(sizes) != count or 0 in sizes or not spec.fits(sizes):
        came = f"{count} numbers" if sizes == spec.shape or free else f"the shape {list(sizes)}"
        raise TensorShapeError(f"tensor {spec.name!r} has {came}", mend=f"publish {spec}")
    return sizes


def _packed(flat: list[Any], spec: TensorSpec) -> np.ndarray[Any, Any] | None:
    """Return the array if every number fits its type and is finite: seven times as fast as looking at each.

    None says nothing but that it has to be done the long way, which knows what is wrong.
    """
    import numpy as np

    code = CODES.get(spec.dtype)
    if code is None:
        return None
    try:
        packed = struct.pack(f"<{len(flat)}{code}", *flat)
        if code in "efd" and not isfinite(sum(flat)):
            return None
    except (struct.error, OverflowError):
        return None
    return np.frombuffer(packed, np.dtype(spec.dtype).newbyteorder("<"))


def _array(flat: list[Any], spec: TensorSpec) -> np.ndarray[Any, Any]:
    import numpy as np

    kind = "f" if spec.dtype.startswith("float") else "b" if spec.dtype == "bool" else "i"
    if not _TAKES[kind].issuperset(map(type, flat)):
        raise TensorDtypeError(f"tensor {spec.name!r} holds other things than {_WORDS[kind]}", mend=f"publish {spec}")
    if kind == "i" and flat:
        limits = np.iinfo(spec.dtype)
        if min(flat) < limits.min or max(flat) > limits.max:
            raise TensorDtypeError(
                f"tensor {spec.name!r} holds numbers that are no {spec.dtype}",
                mend=f"publish numbers from {limits.min} to {limits.max}",
            )
    try:
        with np.errstate(over="ignore"):  # what the type cannot hold is infinite, and said to be
            return np.array(flat, dtype=spec.dtype)
    except OverflowError:
        raise TensorDtypeError(
            f"tensor {spec.name!r} holds a whole number beyond all floats", mend=f"publish {spec}"
        ) from None
