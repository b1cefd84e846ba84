"""What the tests of steps need: records and messages made in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from headrace import Message, Position, Record

MakeRecord = Callable[..., Record]
MakeMessage = Callable[..., Message]


@pytest.fixture(scope="session")
def record() -> MakeRecord:
    """Make a record of a text; other fields by name."""

    def make(text: str = "", **fields: Any) -> Record:
        return Record(**{"id": "reviews:0:7", "source": Position("reviews", 0, 7), "text": text, **fields})

    return make


@pytest.fixture(scope="session")
def message() -> MakeMessage:
    """Make a message of a value and headers; a header's underscores in the content type's name become a hyphen."""

    def make(value: bytes, **headers: str) -> Message:
        names = {"content_type": "content-type"}
        given = tuple((names.get(name, name), text.encode()) for name, text in headers.items())
        return Message(Position("reviews", 0, 7), b"ann", value, given, 1_700_000_000_000)

    return make
