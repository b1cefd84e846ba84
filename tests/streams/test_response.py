"""How the broker's responses are read: whole, whatever pieces they come in, and nothing of a broken one."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.streams import response
from headrace.streams.response import ResponseProtocol, ResponseReader

HEAD_BYTES = 4


def framed(rests: Sequence[bytes]) -> bytes:
    return b"".join(struct.pack(">i", len(rest)) + rest for rest in rests)


class Pipe:
    """A protocol and its reader, without a connection: a test brings the bytes."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.reader = asyncio.StreamReader(loop=loop)
        self.protocol = ResponseProtocol(self.closed, self.reader, loop=loop)

    def bring(self, piece: bytes) -> None:
        """Let some bytes come, as many at once as there is room for."""
        while piece:
            room = self.protocol.get_buffer(-1)
            count = min(len(room), len(piece))
            assert count, "no room, which asyncio takes for a fault"
            room[:count] = piece[:count]
            self.protocol.buffer_updated(count)
            piece = piece[count:]

    async def response(self) -> bytes:
        """Read one as aiokafka does."""
        (size,) = struct.unpack(">i", await self.reader.readexactly(HEAD_BYTES))
        rest = await self.reader.readexactly(size)
        assert len(rest) == size
        return rest


SIZES = st.one_of(st.integers(0, 40), st.sampled_from((16_379, 16_380, 16_381, 16_384, 40_000, 200_001)))


@given(sizes=st.lists(SIZES, min_size=1, max_size=8), cuts=st.lists(st.integers(0, 1 << 18), max_size=12))
@settings(deadline=None)
def test_responses_come_out_whole_whatever_the_pieces(sizes: list[int], cuts: list[int]) -> None:
    rests = [bytes([at % 251]) * size for at, size in enumerate(sizes)]
    stream = framed(rests)
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})

    async def read() -> None:
        pipe = Pipe()
        for begin, end in pairwise(places):
            pipe.bring(stream[begin:end])
        assert [await pipe.response() for _ in rests] == rests
        assert not pipe.reader.at_eof()

    asyncio.run(read())


async def test_a_large_response_gets_room_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response, "_TRUSTED_BYTES", 10_000)
    pipe, rest = Pipe(), bytes(range(256)) * 1000
    stream = framed([rest, b"next"])
    pipe.bring(stream[:20_000])
    assert len(pipe.protocol.get_buffer(-1)) <= 10_000  # not all that the head says
    pipe.bring(stream[20_000:])
    assert [await pipe.response(), await pipe.response()] == [rest, b"next"]


async def test_a_reader_waits_for_a_whole_response() -> None:
    pipe = Pipe()
    reading = asyncio.create_task(pipe.response())
    stream = framed([b"x" * 50_000])
    for piece in (stream[:2], stream[2:300], stream[300:-1]):
        pipe.bring(piece)
        await asyncio.sleep(0)
        assert not reading.done()
    pipe.bring(stream[-1:])
    assert await reading == b"x" * 50_000


@pytest.mark.parametrize("begun", [b"", b"\0\0", framed([b"x" * 30_000])[:9_000], framed([b"x" * 30_000])[:20_000]])
async def test_of_a_connection_that_ends_only_what_is_whole_is_read(begun: bytes) -> None:
    pipe = Pipe()
    pipe.bring(framed([b"whole"]) + begun)
    pipe.protocol.connection_lost(None)
    assert not pipe.reader.at_eof()
    assert await pipe.response() == b"whole"
    assert pipe.reader.at_eof()
    with pytest.raises(asyncio.IncompleteReadError):
        await pipe.reader.readexactly(HEAD_BYTES)
    assert pipe.closed.done()


async def test_a_broken_connection_says_so_to_who_waits() -> None:
    pipe = Pipe()
    reading = asyncio.create_task(pipe.response())
    await asyncio.sleep(0)
    pipe.protocol.connection_lost(ConnectionResetError("reset by peer"))
    with pytest.raises(ConnectionResetError, match="reset by peer"):
        await reading


async def test_what_is_no_kafka_ends_the_connection() -> None:
    ended = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\xff\xfe\xfd\xfc and so on")
        await reader.read()
        ended.set()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    pipe = Pipe()
    make: Callable[[], ResponseProtocol] = lambda: pipe.protocol  # noqa: E731
    await asyncio.get_running_loop().create_connection(make, *server.sockets[0].getsockname())
    with pytest.raises(ConnectionError, match="a response of -66052 bytes"):
        await pipe.reader.readexactly(HEAD_BYTES)
    await asyncio.wait_for(ended.wait(), 10)
    server.close()


async def test_a_connection_of_aiokafka_reads_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import aiokafka.conn

    monkeypatch.setattr(aiokafka.conn, "AIOKafkaProtocol", aiokafka.conn.AIOKafkaProtocol)
    response.read_responses_whole()
    versions = struct.pack(">ihihhh", 1, 0, 1, 18, 0, 3)  # an answer to the first question, which versions there are

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (size,) = struct.unpack(">i", await reader.readexactly(HEAD_BYTES))
        await reader.readexactly(size)
        writer.write(framed([versions]))
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    connection = await aiokafka.conn.create_conn(*server.sockets[0].getsockname())
    assert type(connection._reader) is ResponseReader
    assert connection._versions == {18: (0, 3)}
    await connection.close()
    server.close()
