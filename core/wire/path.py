"""Dotted paths into JSON values: `body`, `review.text`, `items.0.title`."""

from __future__ import annotations

from typing import Any

__all__ = ["MISSING", "follow"]

MISSING: Any = object()
"""What `follow` returns when nothing lies at the path."""


def follow(value: Any, keys: tuple[str, ...]) -> Any:
    """Return what lies at the path, or MISSING. A number as key is an index when it meets a list."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key, MISSING)
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return MISSING
    return value
