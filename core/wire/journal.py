"""What a committed offset says besides: who began to read there, and which record it had in flight alone.

It is the offset's metadata, a short text of JSON that the broker keeps with the offset and gives back with it. A reader
that finds one of another process knows that this process did not come to commit anything after it.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

__all__ = ["MOST_BYTES", "Entry", "decode_entry", "encode_entry"]

FORMAT = 1
MOST_BYTES = 4096
"""What a broker takes unless told otherwise (`offset.metadata.max.bytes`)."""

_Natural = Annotated[int, msgspec.Meta(ge=0)]


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One entry. Fields are only ever added, with defaults; a change of what one means is another `format`.

    Attributes:
        format: how it is written; `headrace`, so that whoever looks at offsets knows whose it is.
        by: a process; each has a name that no other one had.
        until: the first offset that is not under suspicion; None while nothing is.
        at: which record of the message at the offset was alone in flight, counted from 0; None when none was.
        deaths: how often each record of that message was alone in flight when its process died.
        tick: epoch milliseconds; records whose join was over by then ran because of the time, not of any message.
        source: where the message of such a record lies in the input, `topic:partition:offset`, if it was alone.
        timed: how often each such record was when its process died.
    """

    format: int = msgspec.field(name="headrace")
    by: str
    until: _Natural | None = None
    at: _Natural | None = None
    deaths: dict[_Natural, _Natural] = {}
    tick: _Natural | None = None
    source: str | None = None
    timed: dict[str, _Natural] = {}


_decoder = msgspec.json.Decoder(Entry)
_encoder = msgspec.json.Encoder()


def encode_entry(entry: Entry) -> str:
    """Return the metadata; if it were longer than a broker takes, without the deaths of the records counted last."""
    text: str = _encoder.encode(entry).decode()
    if len(text.encode()) <= MOST_BYTES or not entry.deaths:
        return text
    fewer = dict(sorted(entry.deaths.items())[: len(entry.deaths) // 2])
    return encode_entry(msgspec.structs.replace(entry, deaths=fewer))


def decode_entry(metadata: str | None) -> Entry | None:
    """Return the entry; None where there is none, or one of another format, or somebody else's words."""
    try:
        entry = _decoder.decode(metadata or "")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return entry if entry.format == FORMAT else None
