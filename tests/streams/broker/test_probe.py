"""Whether a port serves Kafka clients, asked of all kinds of strangers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from headrace.streams.broker import Running
from headrace.streams.broker.port import free
from headrace.streams.broker.probe import cluster


@contextmanager
def answering(answer: bytes | None) -> Iterator[int]:
    """Serve one connection: read its request, answer and hang up; None keeps silent until the client goes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(answer) if answer is not None else connection.recv(1024)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def sized(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


BROKER = b"\0\0\0\1" + b"\0\4host" + b"\0\0\x23\x84" + b"\xff\xff"  # id, host, port, no rack


@pytest.mark.broker
def test_a_kafka_that_serves_names_its_cluster(kafka: Running) -> None:
    assert len(cluster(kafka.port, timeout_seconds=20) or "") == 22


def test_a_port_that_nobody_opened_serves_nobody() -> None:
    assert cluster(free()) is None


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="hangs up"),
        pytest.param(b"\0\0", id="hangs up early"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="is a web server"),
        pytest.param(sized(b"\0\0\0\0\0\0\0\1")[:-2], id="sends less than it says"),
        pytest.param(sized(b"\0\0\0\0\0\0\0\5"), id="sends other than it says"),
        pytest.param(sized(b"\0\0\0\0" + b"\0\0\0\1" + BROKER + b"\0\1\xff"), id="is not UTF-8"),
        pytest.param(sized(b"\0\0\0\0" + b"\0\0\0\0" + b"\0\2id"), id="has no live broker yet"),
        pytest.param(None, id="keeps silent"),
    ],
)
def test_a_stranger_is_no_kafka(answer: bytes | None) -> None:
    with answering(answer) as port:
        assert cluster(port, timeout_seconds=0.2) is None


def test_one_live_broker_is_enough() -> None:
    with answering(sized(b"\0\0\0\0" + b"\0\0\0\1" + BROKER + b"\0\2id")) as port:
        assert cluster(port) == "id"
