"""Starts that fail, played by a Java of our own: what is said, and that nothing is left behind."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from headrace.streams.broker import Running, launch, obituary, start, status
from headrace.streams.broker.errors import BrokerDiedError, BrokerFormatError, BrokerSlowError, PortTakenError
from headrace.streams.broker.folders import Folders
from headrace.streams.broker.port import free
from headrace.streams.errors import FolderError

pytestmark = pytest.mark.broker  # the jars must be in the cache, although no Java reads them here

JAVA = """#!/bin/sh
case "$*" in
*-version*) echo 'openjdk version "17.0.1"' >&2 ;;
*StorageTool*) {format} ;;
*) {kafka} ;;
esac
"""
Play = Callable[..., Folders]


@pytest.fixture
def play(kafka: Running, broker_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Play:
    """Play Kafka by shell commands: `format` runs instead of its storage tool, `kafka` instead of itself."""
    folders = Folders.of(broker_home)

    def played(*, kafka: str = "exec sleep 600", format: str = f"echo cluster.id=ours > '{folders.meta}'") -> Folders:
        java = tmp_path / "java" / "bin" / "java"
        java.parent.mkdir(parents=True)
        java.write_text(JAVA.format(format=format, kafka=f"echo $$ > '{tmp_path}/pid'; {kafka}"))
        java.chmod(0o755)
        monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java"))
        return folders

    return played


def assert_nothing_is_left(folders: Folders, tmp_path: Path) -> None:
    home = folders.root.parent
    assert (status(home), obituary(home)) == (None, None)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.provokes("HR221")
def test_a_kafka_that_ends_while_starting_is_told_with_its_own_words(play: Play, tmp_path: Path) -> None:
    folders = play(kafka="echo 'Error: no more room'; exit 1")
    with pytest.raises(BrokerDiedError, match="its log says: Error: no more room"):
        start(folders.root.parent, port=0)
    assert status(folders.root.parent) is None
    assert not folders.state.exists()


@pytest.mark.provokes("HR222")
def test_a_kafka_that_never_answers_is_ended(play: Play, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(launch, "READY_SECONDS", 3)
    folders = play(kafka="echo 'Still thinking'; exec sleep 600")
    with pytest.raises(BrokerSlowError, match=r"no answer within 3 s; its log ends: Still thinking"):
        start(folders.root.parent, port=0)
    assert_nothing_is_left(folders, tmp_path)


@pytest.mark.provokes("HR224")
def test_a_folder_that_kafka_cannot_prepare_is_told_with_its_own_words(play: Play) -> None:
    folders = play(format="echo 'Log directory is not writable' >&2; exit 1")
    with pytest.raises(BrokerFormatError, match=f"cannot prepare {folders.data}: Log directory is not writable"):
        start(folders.root.parent, port=0)
    assert not folders.state.exists()


@pytest.mark.provokes("HR402")
def test_a_port_lost_between_the_look_and_the_start_is_tried_again_and_then_told(play: Play) -> None:
    folders = play(kafka="echo 'Caused by: java.net.BindException: Address already in use'; exit 1")
    told: list[str] = []
    with pytest.raises(PortTakenError):
        start(folders.root.parent, port=0, progress=told.append)
    ports = {line.rpartition(" ")[2] for line in told if line.startswith("waiting for Kafka")}
    assert len(ports) > 1, "each try takes another port"


@pytest.mark.provokes("HR402")
def test_a_port_asked_for_and_lost_is_told_by_its_number(play: Play) -> None:
    folders = play(kafka="echo 'Caused by: java.net.BindException: Address already in use'; exit 1")
    wanted = free()
    with pytest.raises(PortTakenError, match=f"port {wanted} cannot be used"):
        start(folders.root.parent, port=wanted)


def test_another_kafka_that_answers_on_the_port_is_not_taken_for_ours(
    kafka: Running, play: Play, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # The other one opened the port between our look and our start; ours sleeps and would die later.
    monkeypatch.setattr(launch, "READY_SECONDS", 3)
    monkeypatch.setattr("headrace.streams.broker.embedded.choose", lambda _: kafka.port)
    folders = play()
    with pytest.raises(BrokerSlowError):
        start(folders.root.parent)
    assert_nothing_is_left(folders, tmp_path)


@pytest.mark.provokes("HR403")
def test_a_path_that_kafka_would_cut_is_refused(play: Play, tmp_path: Path) -> None:
    play()
    with pytest.raises(FolderError, match="comma"):
        start(tmp_path / "a,b", port=0)


@pytest.mark.provokes("HR402")
def test_a_taken_port_is_told_before_anything_is_prepared(play: Play) -> None:
    folders = play()
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(PortTakenError):
        start(folders.root.parent, port=listener.getsockname()[1])
    assert not folders.data.exists()


def test_what_is_remembered_of_a_start_lets_another_command_find_it(play: Play, tmp_path: Path) -> None:
    # remembered before the answer: whoever kills the starter finds the broker
    folders = play(
        kafka=f"while [ ! -s '{tmp_path}/headrace-home/broker/state.json' ]; do :; done; "
        f"cp '{tmp_path}/headrace-home/broker/state.json' '{tmp_path}/seen'; exit 1"
    )
    with pytest.raises(BrokerDiedError):
        start(folders.root.parent, port=0)
    assert json.loads((tmp_path / "seen").read_text())["pid"] == int((tmp_path / "pid").read_text())
