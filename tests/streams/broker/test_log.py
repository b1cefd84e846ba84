"""The line that tells why a broker ended, and the lines that come while one looks."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TextIO

import pytest

from headrace.streams.broker import log as broker_log
from headrace.streams.broker.log import follow, last_words, rotate, tail, telling

FATAL = """\
[2026-11-23 21:11:28,121] INFO Registered `kafka:type=kafka.Log4jController` MBean (kafka.utils.Log4j$)
[2026-11-23 21:11:28,399] ERROR Exiting Kafka due to fatal exception (kafka.Kafka$)
org.apache.kafka.common.KafkaException: Socket server failed to bind
\tat kafka.network.Acceptor.openServerSocket(SocketServer.scala:717)
Caused by: java.net.BindException: Address already in use
\tat java.base/sun.nio.ch.Net.bind0(Native Method)
\t... 12 more
[2026-11-23 21:11:29,000] INFO [SocketServer nodeId=1] Shutting down (kafka.network.SocketServer)
""".splitlines()


def test_the_root_cause_of_an_error_tells_more_than_the_shutdown_after_it() -> None:
    assert telling(FATAL) == "java.net.BindException: Address already in use"


def test_an_exception_without_a_cause_tells_itself() -> None:
    assert telling(FATAL[:4]) == "org.apache.kafka.common.KafkaException: Socket server failed to bind"


def test_an_error_without_an_exception_tells_itself() -> None:
    assert telling([*FATAL[:2], FATAL[-1]]) == "ERROR Exiting Kafka due to fatal exception"


def test_of_two_errors_the_last_one_tells() -> None:
    assert telling([*FATAL, "[2026-11-23 21:12:00,000] FATAL the disk is full (kafka.log)"]) == "FATAL the disk is full"


def test_without_an_error_the_last_line_tells() -> None:
    assert telling([FATAL[0], "", "\tat somewhere"]) == "INFO Registered `kafka:type=kafka.Log4jController` MBean"
    assert telling([]) == ""


def test_a_java_out_of_memory_tells_so(tmp_path: Path) -> None:
    (tmp_path / "kafka.log").write_text(FATAL[0] + "\n")
    (tmp_path / "console.log").write_text("Terminating due to java.lang.OutOfMemoryError: Java heap space\n")
    assert last_words(tmp_path) == "Terminating due to java.lang.OutOfMemoryError: Java heap space"


def test_a_missing_log_says_nothing(tmp_path: Path) -> None:
    assert last_words(tmp_path) == ""
    assert tail(tmp_path, 10) == []


def test_the_tail_is_the_last_lines_and_java_itself_comes_last(tmp_path: Path) -> None:
    (tmp_path / "kafka.log").write_bytes(b"one\ntwo\nthree \xff\n")
    (tmp_path / "console.log").write_text("four\n")
    assert tail(tmp_path, 3) == ["two", "three \N{REPLACEMENT CHARACTER}", "four"]
    assert tail(tmp_path, 0) == []


def test_a_new_run_begins_a_new_log_and_three_older_ones_stay(tmp_path: Path) -> None:
    for run in range(5):
        (tmp_path / "kafka.log").write_text(str(run))
        rotate(tmp_path)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        "kafka.1.log": "4",
        "kafka.2.log": "3",
        "kafka.3.log": "2",
    }


@pytest.mark.timeout(30)
def test_following_gives_whole_new_lines_across_a_rotation(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    log.write_text("old\n")
    lines = follow(tmp_path)
    got: list[str] = []
    first = threading.Event()

    def read() -> None:
        for line in lines:
            got.append(line)
            first.set()
            if line == "end":
                return

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    with log.open("a") as file:
        while not first.wait(0.05):  # until the reader is at the end, lines may fall before it looks
            file.write("tick\n")
            file.flush()
        file.write("in two ")
        file.flush()
        file.write("parts\n")
    rotate(tmp_path)
    log.write_text("new\nend\n")
    reader.join()
    assert "old" not in got
    assert got[-3:] == ["in two parts", "new", "end"]


def test_what_is_written_and_rotated_between_two_looks_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "kafka.log"
    log.write_text("first\n")
    looks, replaced = iter([False, True]), broker_log._replaced

    def rotated(path: Path, file: TextIO) -> bool:
        if next(looks, False):
            with log.open("a") as writer:
                writer.write("last\n")
            rotate(tmp_path)
        return replaced(path, file)

    monkeypatch.setattr(broker_log, "_replaced", rotated)
    with log.open() as file:
        assert list(broker_log._lines(log, file)) == ["first", "last"]
