"""Kafka processes of a test's own: one that asks for passwords, three that replicate, one whose disk is small."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from headrace.streams.broker import process
from headrace.streams.broker.folders import Folders
from headrace.streams.broker.jars import kafka_jars
from headrace.streams.broker.java import find_java
from headrace.streams.broker.launch import await_answer
from headrace.streams.broker.port import HOST
from headrace.streams.broker.settings import java_options, log_settings, server_settings
from headrace.streams.broker.state import Started, remember
from tests.support.port import free_port

__all__ = ["Cluster", "Node", "new_cluster_id"]


def new_cluster_id() -> str:
    """Return an id as Kafka wants it."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


class Node:
    """One Kafka process, broker and controller, with a plain listener and whatever else its settings say.

    Args:
        home: its state folder; `headrace.streams.broker.stop(home)` ends it.
        settings: go before those of the embedded broker; {host}, {port} and {controller} stand for its own.
        words: how its folder is formatted, beside the cluster's id.
        cluster_id: the cluster that it belongs to.
        prefix: a command that the process is started by.
    """

    def __init__(
        self,
        home: Path,
        settings: Mapping[str, str],
        *,
        words: Sequence[str] = ("--standalone",),
        cluster_id: str = "",
        prefix: Sequence[str] = (),
    ) -> None:
        self.home, self.folders, self.settings = home, Folders.of(home), dict(settings)
        self.port, self.controller_port = free_port(), free_port()
        self._words, self._cluster_id, self._prefix = words, cluster_id or new_cluster_id(), prefix
        self._started: Started | None = None
        self._is_formatted = False

    @property
    def bootstrap(self) -> str:
        """The address of its plain listener."""
        return f"{HOST}:{self.port}"

    @property
    def log(self) -> str:
        """What Kafka wrote so far."""
        return (self.folders.logs / "kafka.log").read_text(errors="replace")

    def start(self) -> Node:
        """Start it, formatted if need be, and wait until it serves clients."""
        self.launch()
        self.await_answer()
        return self

    def launch(self) -> None:
        """Start it and do not wait."""
        for folder in (self.folders.data, self.folders.logs):
            folder.mkdir(parents=True, exist_ok=True)
        ours = server_settings(self.folders.data, port=self.port, controller_port=self.controller_port)
        here = {"host": HOST, "port": self.port, "controller": self.controller_port}
        more = "".join(f"{key}={value.format(**here)}\n" for key, value in self.settings.items())
        self.folders.server.write_text(ours + more)
        self.folders.log4j.write_text(log_settings(self.folders.logs))
        if not self._is_formatted:
            self._format()
            self._is_formatted = True
        command = [*self._prefix, *self._java(), "kafka.Kafka", str(self.folders.server)]
        pid = process.spawn(command, output=self.folders.console, environment=os.environ)
        self._started = Started(pid, process.birth(pid) or "", self.port, datetime.now(UTC))
        remember(self.folders.state, self._started)

    def await_answer(self) -> None:
        """Wait until it serves clients."""
        assert self._started is not None
        await_answer(self.folders, self._started)

    @property
    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self._started is not None and self._started.is_alive

    def kill(self) -> None:
        """SIGKILL."""
        assert self._started is not None
        os.kill(self._started.pid, signal.SIGKILL)
        process.end(self._started.pid, self._started.born)

    def stop(self) -> None:
        """SIGTERM, and wait until it is gone."""
        if self._started is not None:
            process.end(self._started.pid, self._started.born)

    def _java(self) -> list[str]:
        heap = "-Xmx256m"  # the last one counts
        return [str(find_java()), *java_options(self.folders, kafka_jars(lambda _: None)), heap]

    def _format(self) -> None:
        words = ["format", f"--cluster-id={self._cluster_id}", "--config", str(self.folders.server), *self._words]
        command = [*self._prefix, *self._java(), "kafka.tools.StorageTool", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


class Cluster:
    """Three nodes on loopback; a topic's two of three replicas must have a record before it is acknowledged.

    Args:
        home: each node has a folder in it.
        settings: of every node.
    """

    def __init__(self, home: Path, settings: Mapping[str, str] | None = None, *, size: int = 3) -> None:
        identity = new_cluster_id()
        self.nodes = [Node(home / str(at + 1), {}, words=(), cluster_id=identity) for at in range(size)]
        voters = ",".join(f"{at + 1}@{HOST}:{node.controller_port}" for at, node in enumerate(self.nodes))
        for at, node in enumerate(self.nodes):
            node.settings = {
                "node.id": str(at + 1),
                "controller.quorum.voters": voters,
                "controller.quorum.bootstrap.servers": "",
                "default.replication.factor": str(size),
                "min.insync.replicas": "2",
                "offsets.topic.replication.factor": str(size),
                "transaction.state.log.replication.factor": str(size),
                "transaction.state.log.min.isr": "2",
                "controlled.shutdown.enable": "true",
                **(settings or {}),
            }

    @property
    def bootstrap(self) -> str:
        """The plain addresses of all nodes."""
        return ",".join(node.bootstrap for node in self.nodes)

    def start(self) -> Cluster:
        """Start all, and wait until each serves clients."""
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(Node.launch, self.nodes))
        for node in self.nodes:
            node.await_answer()
        return self

    def stop(self) -> None:
        """End all of them, at once: the last controller could not leave a quorum of one in order."""
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(Node.kill, [node for node in self.nodes if node.is_alive]))
