"""Unpacks compressed batches of messages, but never beyond a limit.

aiokafka unpacks a batch whole and into memory, whatever comes of it: half a megabyte of compressed zeros was 400 MB,
held twice, and a worker that was silent for 40 seconds. A broker's `max.message.bytes` bounds only what is compressed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any

import aiokafka.codec
import cramjam
import numpy as np

__all__ = ["BeyondLimitError", "at_most", "guard"]

_PARSERS = ("default_records", "legacy_records")
_XERIAL = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES = 16
_GZIP = 16 + zlib.MAX_WBITS
_USUAL_GROWTH, _USUAL_BYTES = 16, 1 << 16

_limit: ContextVar[int | None] = ContextVar("limit", default=None)


class BeyondLimitError(Exception):
    """A batch unpacks to more than was allowed; nobody but its reader needs to know."""


@contextmanager
def at_most(limit_bytes: int) -> Iterator[None]:
    """Unpack batches to so many bytes only; one that has more raises BeyondLimitError."""
    token = _limit.set(limit_bytes)
    try:
        yield
    finally:
        _limit.reset(token)


def guard() -> None:
    """Let aiokafka ask here how to unpack. It has no setting for that; its parsers look these functions up by name.

    Outside of `at_most` everything is as it was. To be called before reading; more than once does no harm.
    """
    for package in ("aiokafka.record", "aiokafka.record._crecords"):
        for parser in _PARSERS:
            try:
                module = import_module(f"{package}.{parser}")
            except ImportError:  # aiokafka was built without its extensions
                continue
            for name, bounded in _BOUNDED.items():
                if hasattr(module, name):
                    setattr(module, name, bounded)


def _bounded(plain: Callable[[Any], bytes], unpack: Callable[[Any, int], bytes]) -> Callable[[Any], bytes]:
    def decode(payload: Any) -> bytes:
        limit = _limit.get()
        return plain(payload) if limit is None else unpack(payload, limit)

    return decode


def _gzip(payload: Any, limit: int) -> bytes:
    parts: list[bytes] = []
    left, rest = limit, bytes(payload)
    while rest:  # it may have several members
        stream = zlib.decompressobj(_GZIP)
        parts.append(stream.decompress(rest, left + 1))
        left -= len(parts[-1])
        if left < 0:
            raise BeyondLimitError
        if not stream.eof:
            raise zlib.error("the batch ends too early")
        rest = stream.unused_data
    return b"".join(parts)


def _into(decompress_into: Callable[[Any, Any], int]) -> Callable[[Any, int], bytes]:
    def unpack(payload: Any, limit: int) -> bytes:
        # Room for all of the limit at once costs 0.7 ms a batch, since the system has to clear it.
        usual = min(limit, _USUAL_GROWTH * len(payload) + _USUAL_BYTES)
        for room in (usual, limit):
            found = _within(room, decompress_into, payload)
            if found is not None:
                return found
        # It does not say whether room or sense is missing. The broker unpacked it as well, and refuses nonsense.
        raise BeyondLimitError

    return unpack


def _within(room: int, decompress_into: Callable[[Any, Any], int], payload: Any) -> bytes | None:
    into = np.empty(room, np.uint8)
    try:
        return into[: decompress_into(payload, into)].tobytes()
    except cramjam.DecompressionError:
        return None


def _snappy(payload: Any, limit: int) -> bytes:
    """Blocks say beforehand how much they hold, and unpack to nothing else."""
    data = bytes(payload)
    if sum(cramjam.snappy.decompress_raw_len(block) for block in _snappy_blocks(data)) > limit:
        raise BeyondLimitError
    return bytes(aiokafka.codec.snappy_decode(data))


def _snappy_blocks(data: bytes) -> Iterator[bytes]:
    if not (data.startswith(_XERIAL) and len(data) > _XERIAL_HEADER_BYTES):
        yield data
        return
    at = _XERIAL_HEADER_BYTES
    while at < len(data):
        (size,) = struct.unpack_from("!i", data, at)
        yield data[at + 4 : at + 4 + size]
        at += 4 + max(0, size)


_BOUNDED = {
    "gzip_decode": _bounded(aiokafka.codec.gzip_decode, _gzip),
    "snappy_decode": _bounded(aiokafka.codec.snappy_decode, _snappy),
    "lz4_decode": _bounded(aiokafka.codec.lz4_decode, _into(cramjam.lz4.decompress_into)),
    "zstd_decode": _bounded(aiokafka.codec.zstd_decode, _into(cramjam.zstd.decompress_into)),
}
