"""What the messages of a topic look like, as JSON Schemas: said by whoever writes or reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["MessageShape"]


@dataclass(frozen=True)
class MessageShape:
    """A kind of message, for `headrace schema asyncapi`.

    A sink may have a method `shape()` that returns one of its messages; without it nothing is said of their content.

    Attributes:
        name: what it is called, in lower case with hyphens.
        summary: one sentence of what it tells.
        body: JSON Schema of the value; `{}` when nothing is said of it.
        headers: JSON Schema of the headers, an object of texts.
        key: JSON Schema of the key.
        content_type: media type of the value; empty when nothing is said of it.
    """

    name: str
    summary: str
    body: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, Any] = field(default_factory=dict)
    key: Mapping[str, Any] = field(default_factory=dict)
    content_type: str = "application/json"
