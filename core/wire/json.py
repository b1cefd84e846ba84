"""JSON as it comes and goes on topics: fast, and without losing what a publisher may send.

msgspec is the fast path. It refuses lone surrogates, which JavaScript publishers do send (a text cut in the middle of
an emoji), so what it refuses for that reason goes through the standard library, which reads and writes them as escapes.
"""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any

import msgspec

__all__ = ["decode", "encode", "encode_strictly", "replace_surrogates"]

_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


def decode(data: bytes) -> Any:
    """Return the JSON value; a leading byte order mark is skipped, NaN and Infinity are refused.

    Raises:
        ValueError: the bytes are not JSON, or not UTF-8; the message says where.
    """
    if data[:3] == b"\xef\xbb\xbf":
        data = data[3:]
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        if isinstance(error, msgspec.DecodeError) and _SURROGATE_ESCAPE.search(data):
            return _decode_slowly(data)
        raise ValueError(str(error)) from None


def encode(value: Any) -> bytes:
    """Return the value as JSON in UTF-8; lone surrogates become escapes.

    Raises:
        TypeError: the value holds something that JSON has no form for.
    """
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return json.dumps(_without_nan(msgspec.to_builtins(value)), separators=(",", ":")).encode()


def encode_strictly(value: Any) -> bytes:
    """Return the value as JSON in UTF-8, always by the fast path.

    Raises:
        TypeError: the value holds something that JSON has no form for.
        UnicodeEncodeError: it holds a lone surrogate.
    """
    return _encoder.encode(value)


def replace_surrogates(text: str) -> str:
    """Return the text with each lone surrogate as U+FFFD, so that tokenizers and UTF-8 take it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _without_nan(value: Any) -> Any:
    """Return the value with NaN and infinities as null, as the fast path writes them."""
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return [_without_nan(item) for item in value] if isinstance(value, list | tuple) else value


def _decode_slowly(data: bytes) -> Any:
    try:
        return json.loads(data.decode(), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError(str(error)) from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
