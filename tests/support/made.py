"""Messages and records made in one line, and strategies that make every kind of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from headrace.core.record import Message, Position, Record

__all__ = ["headers", "json_values", "keys", "message", "record", "texts"]

HERE = Position("reviews", 3, 7)
NOON_MS = 1_795_435_200_000


def message(value: bytes | None = b"{}", **fields: Any) -> Message:
    """Return a message; a field not given is that of an ordinary one."""
    given = {"position": HERE, "key": b"ann", "headers": (), "timestamp_ms": NOON_MS, **fields}
    return Message(value=value, **given)


def record(text: str = "", **fields: Any) -> Record:
    """Return a record; a field not given is that of an ordinary one."""
    return Record(**{"id": str(HERE), "source": HERE, "text": text, "timestamp_ms": NOON_MS, **fields})


texts = st.text(st.characters(exclude_categories=()), max_size=40)
"""Any text, lone surrogates among it."""

keys = st.none() | st.binary(max_size=40)
headers = st.lists(st.tuples(st.text(max_size=12), keys), max_size=6).map(tuple)
"""Any headers: names may repeat, values may be null."""

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
"""Any JSON value, with lone surrogates in keys and texts."""
