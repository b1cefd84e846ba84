"""Durations and sizes as people write them: `100ms`, `5s`, `2m`; `64KiB`, `1MiB`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

__all__ = ["Bytes", "Milliseconds", "parse_bytes", "parse_milliseconds"]

_NUMBER = r"\s*(\d+(?:\.\d+)?)\s*"
_LONGEST = 20  # characters; more digits than that overflow a float before they mean anything
_DURATION = re.compile(_NUMBER + r"(ms|s|m|h|d)")
_SIZE = re.compile(_NUMBER + r"(B|kB|KB|MB|GB|KiB|MiB|GiB)?")
_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_BYTES = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def parse_milliseconds(value: Any) -> Any:
    """Return milliseconds of a written duration; 0 needs no unit, any other bare number is refused.

    Raises:
        ValueError: it is no duration.
    """
    if value == 0 and not isinstance(value, bool):
        return 0.0
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None or len(value) > _LONGEST:
        raise ValueError(f"{value!r} is not a duration; write it with a unit, such as 100ms, 5s, 2m or 1h")
    return float(match.group(1)) * _MS[match.group(2)]


def parse_bytes(value: Any) -> Any:
    """Return bytes of a written size; a bare number is bytes.

    Raises:
        ValueError: it is no size.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None or len(value) > _LONGEST:
        raise ValueError(f"{value!r} is not a size; write bytes, or a unit such as 64KiB or 1MiB")
    return int(float(match.group(1)) * _BYTES[match.group(2) or "B"])


_WRITTEN_DURATION = {"type": "string", "pattern": f"^{_NUMBER}(ms|s|m|h|d)$", "maxLength": _LONGEST}
_WRITTEN_SIZE = {"type": "string", "pattern": f"^{_NUMBER}(B|kB|KB|MB|GB|KiB|MiB|GiB)?$", "maxLength": _LONGEST}

Milliseconds = Annotated[
    float,
    BeforeValidator(parse_milliseconds),
    Field(ge=0),
    WithJsonSchema({"anyOf": [_WRITTEN_DURATION, {"const": 0}], "examples": ["100ms", "5s", "2m", "1h"]}),
]
"""A duration in the file, milliseconds in the plan."""

Bytes = Annotated[
    int,
    BeforeValidator(parse_bytes),
    Field(gt=0),
    WithJsonSchema({"anyOf": [_WRITTEN_SIZE, {"type": "integer", "exclusiveMinimum": 0}], "examples": ["64KiB"]}),
]
"""A size in the file, bytes in the plan."""
