"""Lists of numbers out of JSON as the processor has them, without a Python object for each.

To make those of 784 numbers, and pack them, took twice as long as simdjson takes to read the same text. It goes by
other rules than Python does, though: of two equal names it takes the first, and nested lists it flattens. So it gets
only what leaves no room for that, and whatever is out of the ordinary is nobody's fault here: it is read the usual way.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from headrace import Message, TensorSpec
from headrace.plugins.codecs.event import STRUCTURED, content_type, media_type

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Numbers", "numbers_of"]

_DTYPES = frozenset(("float32", "float64"))  # what a double is rounded to, and never wrapped or cut off
_ODD = (ValueError, TypeError, LookupError, AttributeError, RuntimeError)


class Numbers:
    """Reads a batch of messages that all have one flat list for each tensor, and no other list.

    Args:
        tensors: each with the path of its list.
        parser: simdjson's.
    """

    def __init__(self, tensors: Sequence[tuple[TensorSpec, tuple[str, ...]]], parser: Any) -> None:
        self._tensors, self._parser = tensors, parser
        self._names = [_quoted(name) for name in {name for _, path in tensors for name in path}]
        self._sizes = [8 * prod(spec.shape) for spec, _ in tensors]

    def columns(self, messages: Sequence[Message]) -> list[np.ndarray[Any, Any]] | None:
        """Return an array for each tensor, with a row for each message; None where they are to be read otherwise."""
        import numpy as np

        rows: list[list[memoryview]] = [[] for _ in self._tensors]
        try:
            for message in messages:
                if not self._is_plain(message):
                    return None
                self._read(message.value, rows)
        except _ODD:
            return None
        columns = []
        for (spec, _), size, row in zip(self._tensors, self._sizes, rows, strict=True):
            if any(one.nbytes != size for one in row):
                return None
            whole = np.frombuffer(b"".join(row), "<f8").reshape(len(row), *spec.shape)
            with np.errstate(over="ignore"):  # infinite then, and that is looked for
                columns.append(whole.astype(spec.dtype, copy=False))
        return columns

    def _is_plain(self, message: Message) -> bool:
        """Whether each name comes once, spelt as it is, and there is a flat list for each tensor and no other."""
        value = message.value or b""
        if b"\\" in value or (message.headers and media_type(content_type(message)) == STRUCTURED):
            return False
        between, at = [], 0
        for _ in self._tensors:
            begin = value.find(b"[", at)
            end = value.find(b"]", begin)
            if begin < 0 or end < 0 or value.find(b"[", begin + 1, end) >= 0:
                return False
            between.append(value[at:begin])
            at = end
        between.append(value[at:])
        names = b"".join(between)  # to look for them in the lists, too, would take half as long as to parse those
        return b"[" not in between[-1] and all(names.count(name) == 1 for name in self._names)

    def _read(self, value: bytes | None, rows: Sequence[list[memoryview]]) -> None:
        document = self._parser.parse(value)
        for (_, path), row in zip(self._tensors, rows, strict=True):
            found = document
            for name in path:
                found = found[name]
            row.append(memoryview(found.as_buffer(of_type="d")))


def numbers_of(tensors: Sequence[tuple[TensorSpec, tuple[str, ...]]]) -> Numbers | None:
    """Return what reads these tensors; None where one is of another kind, or simdjson is not there."""
    are_fit = all(spec.dtype in _DTYPES and spec.is_fixed and spec.shape for spec, _ in tensors)
    if not are_fit or len({path for _, path in tensors}) < len(tensors):
        return None
    try:
        import simdjson
    except ImportError:  # it has no wheels for the newest Python at first
        return None
    return Numbers(tensors, simdjson.Parser())


def _quoted(name: str) -> bytes:
    return json.dumps(name, ensure_ascii=False).encode("utf-8", "surrogatepass")
