"""Bring one Kafka process up: prepare its files, start it, wait until it serves clients."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from headrace.streams.broker import process
from headrace.streams.broker.errors import BrokerDiedError, BrokerFormatError, BrokerSlowError, PortTakenError
from headrace.streams.broker.folders import Folders
from headrace.streams.broker.log import last_words, rotate, telling
from headrace.streams.broker.port import fault, free
from headrace.streams.broker.probe import cluster
from headrace.streams.broker.settings import java_options, log_settings, server_settings
from headrace.streams.broker.state import Started, forget, remember
from headrace.streams.errors import FolderError
from headrace.streams.home import writable

__all__ = ["Launcher", "await_answer"]

READY_SECONDS = 60.0  # 3 s on two idle cores; the rest is for machines that swap or recover a large data folder
POLL_SECONDS = 0.05


class Launcher(NamedTuple):
    """What every start of a broker needs: its folders, a Java, Kafka's jars, and somebody to tell."""

    folders: Folders
    java: Path
    jars: Sequence[Path]
    say: Callable[[str], None]

    def launch(self, port: int) -> Started:
        """Start Kafka on the port and return when it serves clients; on any failure nothing is left running.

        Raises:
            BrokerFormatError: HR224, Kafka refuses the data folder.
            BrokerDiedError: HR221, it ended while starting.
            BrokerSlowError: HR222, it runs but does not answer.
            PortTakenError: HR402, somebody else took the port in the meantime.
        """
        self._prepare(port)
        rotate(self.folders.logs)
        command = [str(self.java), *java_options(self.folders, self.jars), "kafka.Kafka", str(self.folders.server)]
        began = datetime.now(UTC)
        pid = process.spawn(command, output=self.folders.console, environment=_environment())
        born = process.birth(pid) or "gone before it could be looked at"
        started = Started(pid, born, port, began)
        with ExitStack() as undo:
            undo.callback(forget, self.folders.state)
            undo.callback(process.end, pid, born)
            remember(self.folders.state, started)  # before it is ready: whoever comes after a kill -9 finds it
            self.say(f"waiting for Kafka to answer on port {port}")
            await_answer(self.folders, started)
            undo.pop_all()
        return started

    def _prepare(self, port: int) -> None:
        folders = self.folders
        if "," in str(folders.data):
            raise FolderError(folders.data, "Kafka takes a comma in a path for the end of it")
        writable(folders.data)
        writable(folders.logs)
        folders.server.write_text(server_settings(folders.data, port=port, controller_port=free()))
        folders.log4j.write_text(log_settings(folders.logs))
        if not folders.meta.exists():
            self.say("preparing Kafka's data folder, this once")
            self._format()

    def _format(self) -> None:
        identity = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # --cluster-id=ID in one word, since an id may begin with a dash
        words = ["format", "--standalone", f"--cluster-id={identity}", "--config", str(self.folders.server)]
        options = java_options(self.folders, self.jars)
        asked = subprocess.run(
            [self.java, *options, "kafka.tools.StorageTool", *words],
            capture_output=True,
            text=True,
            errors="replace",
            env=_environment(),
            check=False,
        )
        if asked.returncode:
            raise BrokerFormatError(self.folders.data, telling((asked.stdout + asked.stderr).splitlines()))


def await_answer(folders: Folders, started: Started) -> None:
    """Return when the broker, and no other one, serves clients on its port.

    Raises:
        BrokerDiedError: HR221, it ended.
        BrokerSlowError: HR222, a minute has passed.
        PortTakenError: HR402, it ended because the port was taken.
    """
    own, deadline = folders.cluster(), time.monotonic() + READY_SECONDS
    while (answered := cluster(started.port)) is None or own not in (None, answered):
        if not started.is_alive:
            raise _why_it_died(folders, started)
        if time.monotonic() > deadline:
            raise BrokerSlowError(READY_SECONDS, last_words(folders.logs))
        time.sleep(POLL_SECONDS)


def _why_it_died(folders: Folders, started: Started) -> BrokerDiedError | PortTakenError:
    words = last_words(folders.logs)
    if "Address already in use" in words:
        return PortTakenError(started.port, fault(started.port) or "another process listened there for a moment")
    return BrokerDiedError(words)


def _environment() -> dict[str, str]:
    """Return our environment, with a locale in which Java opens any path: under C, only ASCII ones."""
    locale = {"LC_ALL": "C.UTF-8"} if sys.platform == "linux" else {}
    return {**os.environ, **locale}
