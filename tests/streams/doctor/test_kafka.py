"""What is said of the broker."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headrace.core.config.broker import Broker
from headrace.streams.access.connection import Connection
from headrace.streams.broker import start
from headrace.streams.doctor import kafka as look

if TYPE_CHECKING:
    from headrace.streams.broker import Running


@pytest.mark.broker
def test_a_broker_that_answers_is_told_with_nodes_and_release(kafka: Running) -> None:
    answer, release = look.look_at_kafka(Connection(kafka.bootstrap), Broker(bootstrap=kafka.bootstrap))
    assert answer.fact == f"{kafka.bootstrap} answers, named by the file: 1 node ({kafka.bootstrap})"
    assert (release.state, release.fact.startswith("4.0 or newer (Fetch ")) == ("ok", True)


@pytest.mark.parametrize(
    ("oldest", "newest", "state", "words"),
    [(4, 18, "ok", "4.0 or newer"), (0, 17, "warn", "3.7 to 3.9"), (0, 15, "warn", "older than 3.7")],
)
def test_a_release_is_told_by_the_requests_it_takes(oldest: int, newest: int, state: str, words: str) -> None:
    found = look.release_finding(look.Cluster(["a:1"], oldest, newest))
    assert (found.state, words in found.fact) == (state, True)


@pytest.mark.provokes("HR201")
def test_a_broker_that_is_not_there_fails_in_one_line() -> None:
    (found,) = look.look_at_kafka(Connection("127.0.0.1:1"), None)
    assert found.state == "fail"
    assert found.fact.startswith("HR201 no Kafka broker answers at 127.0.0.1:1 ")


@pytest.mark.provokes("HR201")
def test_something_that_takes_connections_and_says_nothing_fails_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "_ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (found,) = look.look_at_kafka(Connection(f"127.0.0.1:{silent.getsockname()[1]}"), None)
    assert found.fact.endswith("(TimeoutError)")


def test_where_no_broker_runs_that_is_said_and_none_is_started() -> None:
    address, found = look.find_broker(None)
    assert address is None
    assert found is not None
    assert (found.state, "`headrace run` starts it" in found.fact) == ("ok", True)
    assert not Path(os.environ["HEADRACE_HOME"]).exists()


@pytest.mark.provokes("HR223")
def test_in_a_container_a_broker_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_CONTAINER", "1")
    address, found = look.find_broker(None)
    assert (address, found and found.state, found and found.fact.split(" ")[0]) == (None, "fail", "HR223")


@pytest.mark.broker
@pytest.mark.provokes("HR221")
def test_a_broker_that_died_is_a_warning_since_the_next_command_starts_it(broker_home: Path) -> None:
    running = start(broker_home, port=0)
    assert look.find_broker(None) == (Connection(running.bootstrap), None)
    os.kill(running.pid, signal.SIGKILL)
    while look.find_broker(None)[0]:  # its process ends a moment later
        pass
    address, found = look.find_broker(None)
    assert (address, found and found.state, found and found.fact.split(" ")[0]) == (None, "warn", "HR221")


@pytest.mark.provokes("HR401")
def test_no_java_fails_only_where_one_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from headrace.streams.broker import java

    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(java, "_bundled", lambda: None)
    needed, spare = look.look_at_java(is_needed=True), look.look_at_java(is_needed=False)
    assert (needed.state, spare.state, needed.fact.split(" ")[0]) == ("fail", "warn", "HR401")
