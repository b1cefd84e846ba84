"""From lines of JSON, CSV or text to what is published, as soon as a line is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headrace.core.errors import HeadraceError
from headrace.core.wire.json import decode, encode
from headrace.core.wire.path import MISSING, follow
from headrace.streams.client.errors import TextPlaceError
from headrace.streams.client.lines import Lines
from headrace.streams.client.parcel import Parcel, Wish, key_bytes, put
from headrace.streams.client.spreadsheet import from_csv

__all__ = ["chunks", "parcels"]

_CHUNK = 500


def parcels(lines: Lines, wish: Wish) -> Iterator[Parcel | None]:
    """Yield what to publish, one after another; None for a line that is blank.

    Raises:
        LineRefusedError: HR433, a line cannot be published.
        ColumnMissingError: HR434, a CSV file lacks a column.
        TextPlaceError: HR435, text lines have no place in the pipeline's JSON.
    """
    readers = {"jsonl": _from_json, "csv": from_csv, "text": _from_text}
    return readers[wish.form](lines, wish)


def chunks(lines: Lines, wish: Wish) -> Iterator[list[Parcel]]:
    """Yield what to publish as soon as it is there, many at once when many are there.

    Raises:
        HeadraceError: as `parcels` does; what came before has been yielded then.
    """
    chunk: list[Parcel] = []
    try:
        for parcel in parcels(lines, wish):
            if parcel is not None:
                chunk.append(parcel)
            if chunk and (lines.is_waiting or len(chunk) >= _CHUNK):
                yield chunk
                chunk = []
    except HeadraceError:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def _from_json(lines: Lines, wish: Wish) -> Iterator[Parcel | None]:
    needs_value = wish.key_path or wish.id_path or wish.strict
    for line in lines:
        if not line.strip():
            yield None
        elif wish.tombstone and line.strip() == wish.tombstone:
            yield Parcel(wish.tombstone, None)  # a tombstone says that a key is gone, so it has one
        else:
            value = _value(line, wish, lines.number) if needs_value else MISSING
            key = key_bytes(follow(value, wish.key_path)) if wish.key_path else None
            yield Parcel(key, line, _event_headers(value, wish) if wish.id_path else ())


def _event_headers(value: Any, wish: Wish) -> tuple[tuple[str, bytes], ...]:
    """Return the headers that make a message a CloudEvent in binary mode; none for a line without an id."""
    event_id = key_bytes(follow(value, wish.id_path))
    if not event_id:
        return ()
    attributes = {"specversion": b"1.0", "id": event_id, "source": wish.origin.encode(), "type": b"headrace.published"}
    headers = ((f"ce_{name}", attribute) for name, attribute in attributes.items())
    return (*headers, ("content-type", b"application/json"))


def _value(line: bytes, wish: Wish, number: int) -> Any:
    try:
        return decode(line)
    except ValueError as error:
        if wish.strict:
            raise wish.refusal(number, f"is not JSON: {str(error).removeprefix('JSON is malformed: ')}") from None
        return MISSING  # it is sent as it is, and the pipeline makes a dead letter of it


def _from_text(lines: Lines, wish: Wish) -> Iterator[Parcel | None]:
    if not (wish.is_text or wish.text):
        raise TextPlaceError(
            "the pipeline reads JSON, and its file names no path for a text",
            mend="publish JSON lines, or add input: {text: PATH} to the file",
        )
    for line in lines:
        if not line.strip():
            yield None
        elif wish.is_text:
            yield Parcel(None, line)
        else:
            yield Parcel(None, encode(put({}, wish.text, wish.decoded(line, lines.number))))
