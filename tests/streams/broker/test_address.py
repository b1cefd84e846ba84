"""Which Kafka is talked to: the file's, the environment's, the embedded one, in that order."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headrace.streams.broker import bootstrap, in_container, start
from headrace.streams.broker.errors import BrokerDiedError, BrokerNotRunningError, ContainerBrokerError
from headrace.streams.broker.folders import Folders
from headrace.streams.broker.process import birth
from headrace.streams.broker.state import Started, remember


def pretend(home: Path, *, born: str | None) -> None:
    """Remember this very test as the broker, or, with another birth, as one that died."""
    folders = Folders.of(home)
    folders.logs.mkdir(parents=True)
    (folders.logs / "kafka.log").write_text("[2026-11-23 21:11:28,399] ERROR the disk is full (kafka.log)\n")
    remember(folders.state, Started(os.getpid(), born or birth(os.getpid()) or "", 9092, datetime.now(UTC)))


def test_the_file_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEADRACE_BROKER", "env:1")
    assert bootstrap("file:1,file:2", start_embedded=True, home=tmp_path) == "file:1,file:2"
    assert bootstrap(None, start_embedded=True, home=tmp_path) == "env:1"
    assert bootstrap("", start_embedded=False, home=tmp_path) == "env:1"


def test_what_is_named_is_used_in_a_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEADRACE_CONTAINER", "1")
    monkeypatch.setenv("HEADRACE_BROKER", " kafka:9092\n")
    assert bootstrap(None, start_embedded=False, home=tmp_path) == "kafka:9092"


def test_a_running_broker_is_found(tmp_path: Path) -> None:
    pretend(tmp_path, born=None)
    assert bootstrap(None, start_embedded=False, home=tmp_path) == "127.0.0.1:9092"


@pytest.mark.provokes("HR220")
def test_with_no_broker_at_all_both_ways_to_one_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEADRACE_BROKER", " ")
    with pytest.raises(BrokerNotRunningError) as caught:
        bootstrap(None, start_embedded=False, home=tmp_path)
    assert "`headrace broker start`" in caught.value.mend
    assert "HEADRACE_BROKER" in caught.value.mend


@pytest.mark.provokes("HR221")
def test_a_broker_that_died_is_told_with_its_last_words(tmp_path: Path) -> None:
    pretend(tmp_path, born="long ago")
    with pytest.raises(BrokerDiedError, match="its log says: ERROR the disk is full"):
        bootstrap(None, start_embedded=False, home=tmp_path)


@pytest.mark.provokes("HR223")
def test_in_a_container_the_embedded_broker_is_neither_started_nor_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HEADRACE_CONTAINER", "1")
    pretend(tmp_path, born=None)
    for start_embedded in (True, False):
        with pytest.raises(ContainerBrokerError, match="set HEADRACE_BROKER to host:port"):
            bootstrap(None, start_embedded=start_embedded, home=tmp_path)
    with pytest.raises(ContainerBrokerError):
        start(tmp_path)


@pytest.mark.parametrize(("said", "meant"), [("1", True), ("true", True), ("", False), ("0", False), ("No", False)])
def test_a_container_is_what_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch, said: str, meant: bool) -> None:
    monkeypatch.setenv("HEADRACE_CONTAINER", said)
    assert in_container() is meant
