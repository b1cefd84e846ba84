"""Ask a Kafka broker one question over a plain socket, to know whether it serves clients.

A client library would do, but costs 0.3 s to import and logs every refused connection.
"""

from __future__ import annotations

import socket
import struct

from headrace.streams.broker.port import HOST

__all__ = ["cluster"]

METADATA = 3  # https://kafka.apache.org/protocol#The_Messages_Metadata
VERSION = 2  # the first whose answer names the cluster


def cluster(port: int, *, timeout_seconds: float = 2.0) -> str | None:
    """Return the id of the Kafka cluster that serves clients on a port of this machine; None while none does.

    An open port is not enough: a starting broker answers before it counts itself alive, and a topic made then
    is refused.
    """
    try:
        with socket.create_connection((HOST, port), timeout_seconds) as connection:
            connection.sendall(_request())
            return _cluster(_answer(connection))
    except (OSError, EOFError, struct.error, UnicodeDecodeError):
        return None  # refused, silent, or no Kafka


def _request() -> bytes:
    no_client_id, no_topics = -1, 0
    body = struct.pack(">hhihi", METADATA, VERSION, 0, no_client_id, no_topics)
    return struct.pack(">i", len(body)) + body


def _answer(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as stream:
        (size,) = struct.unpack(">i", stream.read(4))
        if not 0 < size < 1 << 20:  # an HTTP server's "HTTP" reads as 1.2 billion
            raise EOFError
        answer = stream.read(size)
    if len(answer) < size:
        raise EOFError
    return answer


def _cluster(answer: bytes) -> str | None:
    """Read correlation, live brokers (id, host, port, rack) and the cluster's id; None without a live broker."""
    at = 4
    (brokers,) = struct.unpack_from(">i", answer, at)
    at += 4
    for _ in range(brokers):
        _, at = _text(answer, at + 4)
        _, at = _text(answer, at + 4)
    name, _ = _text(answer, at)
    return name if brokers > 0 else None


def _text(answer: bytes, at: int) -> tuple[str | None, int]:
    (size,) = struct.unpack_from(">h", answer, at)
    at += 2
    if size < 0:
        return None, at
    return answer[at : at + size].decode(), at + size
