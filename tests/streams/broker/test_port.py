"""Which port is taken, and what is said of one that cannot be."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from headrace.streams.broker import port
from headrace.streams.broker.errors import PortTakenError


@pytest.fixture(params=["127.0.0.1", "0.0.0.0"])  # one on all addresses is in the way too
def taken(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.socket() as listener:
        listener.bind((request.param, 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.mark.provokes("HR402")
def test_a_port_asked_for_that_is_taken_is_refused_with_its_number(taken: int) -> None:
    with pytest.raises(PortTakenError, match=f"port {taken} cannot be used: another process listens there"):
        port.choose(taken)


def test_a_free_port_asked_for_is_given() -> None:
    free = port.free()
    assert port.choose(free) == free


def test_without_a_wish_it_is_the_usual_port_while_that_is_free(monkeypatch: pytest.MonkeyPatch, taken: int) -> None:
    usual = port.free()
    monkeypatch.setattr(port, "USUAL", usual)
    assert port.choose(None) == usual
    monkeypatch.setattr(port, "USUAL", taken)
    assert port.choose(None) not in (usual, taken)


def test_zero_is_any_free_port() -> None:
    assert port.choose(0) > 0
    assert port.choose(0) != port.USUAL


def test_a_port_that_a_client_just_left_counts_as_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # with SO_REUSEADDR, as Java's are
        number = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", number)):
            served, _ = listener.accept()
            served.close()  # closing first leaves TIME_WAIT on the server's side
    assert port.fault(number) is None


def test_a_number_that_no_process_may_open_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)  # root may open every port, so it is played
    assert port.fault(80) == "permission denied"
