"""The broker's responses, each read into a buffer of its own size.

aiokafka reads through asyncio's `StreamReader`: 64 KiB at a time into a buffer that grows, out of which each response
is then cut. For a megabyte that took seven times as long as to read it to where it stays, and where records are of some
kilobytes it was a tenth of all that a worker did.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from typing import Any

import aiokafka.conn
from aiokafka.conn import AIOKafkaProtocol

__all__ = ["ResponseProtocol", "ResponseReader", "read_responses_whole"]

_HEAD = struct.Struct(">i")
_SMALL_BYTES = 16 << 10  # heads, and most responses, come through a buffer that is used again
_TRUSTED_BYTES = 4 << 20  # so much room is made, and kept, because a head says so, which may come from no Kafka


class ResponseReader(asyncio.StreamReader):
    """What aiokafka asks for the head of a response and then for the rest: both are there, or neither is."""

    _parts: deque[bytes]

    def put(self, head: bytes, rest: bytes) -> None:
        """Take a response that is whole."""
        self._parts += (head, rest)
        self._wakeup_waiter()  # type: ignore[attr-defined]  # asyncio keeps what is its own untyped

    def at_eof(self) -> bool:
        """Whether nothing more comes, and all is read."""
        return bool(self._eof) and not self._parts  # type: ignore[attr-defined]

    async def readexactly(self, n: int) -> bytes:
        """Return the head or the rest of a response.

        Raises:
            IncompleteReadError: the connection has ended.
            OSError: it has broken.
        """
        while not self._parts:
            if (error := self.exception()) is not None:
                raise error
            if self._eof:  # type: ignore[attr-defined]
                raise asyncio.IncompleteReadError(b"", n)
            await self._wait_for_data("readexactly")  # type: ignore[attr-defined]
        return self._parts.popleft()


class ResponseProtocol(AIOKafkaProtocol, asyncio.BufferedProtocol):  # type: ignore[misc]  # aiokafka has no types
    """A connection's protocol that has its bytes put where they stay.

    Args:
        closed: aiokafka's, done once the connection is closed.
        reader: made by aiokafka for this connection alone.
        loop: the running one.
    """

    def __init__(self, closed: asyncio.Future[None], reader: asyncio.StreamReader, *, loop: Any) -> None:
        super().__init__(closed, reader, loop=loop)
        reader.__class__ = ResponseReader
        assert isinstance(reader, ResponseReader)  # for the type checker
        reader._parts = deque()
        self._small = bytearray(_SMALL_BYTES)
        self._held = 0  # bytes of the small buffer that are not read yet
        # A response that does not fit there: its head, where the rest is put, and how much of it comes still. One of
        # some megabytes is put to where the one before it was, as new memory costs as much as to read into it.
        self._head, self._parts, self._due = b"", list[bytearray | memoryview](), 0
        self._large = bytearray()
        self._room: memoryview | None = None

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes go."""
        return memoryview(self._small)[self._held :] if self._room is None else self._room

    def buffer_updated(self, nbytes: int) -> None:
        """Take note of bytes that came."""
        if self._room is None:
            self._held += nbytes
            self._read_small()
            return
        self._due -= nbytes
        self._room = self._room[nbytes:]
        if not self._due:
            self._put(self._head, b"".join(self._parts))
            self._parts, self._room = [], None
        elif not self._room:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of what is not whole."""
        super().connection_lost(exc)
        self._parts, self._room, self._large = [], None, bytearray()

    def _read_small(self) -> None:
        """Hand on what is whole; begin a response that is too large for the small buffer."""
        at, end, small = 0, self._held, self._small
        while end - at >= _HEAD.size:
            begin = at + _HEAD.size
            (size,) = _HEAD.unpack_from(small, at)
            if size < 0:
                self._break(size)
                return
            if size > _SMALL_BYTES - _HEAD.size:
                self._begin(bytes(small[at:begin]), small[begin:end], size)
                at = end
                break
            if begin + size > end:
                break
            at = begin + size
            self._put(bytes(small[begin - _HEAD.size : begin]), bytes(small[begin:at]))
        if at:
            small[: end - at] = small[at:end]
            self._held = end - at

    def _begin(self, head: bytes, came: bytearray, size: int) -> None:
        self._head, self._due = head, size - len(came)
        if size > _TRUSTED_BYTES:
            self._parts = [came]
            self._make_room()
            return
        if len(self._large) < size:
            self._large = bytearray(size)
        room = memoryview(self._large)[:size]
        room[: len(came)] = came
        self._parts, self._room = [room], room[len(came) :]

    def _make_room(self) -> None:
        part = bytearray(min(self._due, _TRUSTED_BYTES))
        self._parts.append(part)
        self._room = memoryview(part)

    def _put(self, head: bytes, rest: bytes) -> None:
        reader = self._stream_reader
        if reader is not None:
            reader.put(head, rest)

    def _break(self, size: int) -> None:
        """End a connection on which something else than Kafka talks."""
        reader, self._held = self._stream_reader, 0
        if reader is not None:
            reader.set_exception(ConnectionError(f"a response of {size} bytes"))
        if self._transport is not None:
            self._transport.abort()


def read_responses_whole() -> None:
    """Let aiokafka's connections that are made from now on read so. It has no setting for that."""
    aiokafka.conn.AIOKafkaProtocol = ResponseProtocol
