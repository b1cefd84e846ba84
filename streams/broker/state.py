"""What is remembered of a running broker, so that the next command finds it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from headrace.streams.broker.port import HOST
from headrace.streams.broker.process import birth

__all__ = ["Running", "Started", "forget", "read", "remember"]


class Running(NamedTuple):
    """An embedded broker that runs.

    Attributes:
        pid: its process.
        port: where it listens on this machine.
        bootstrap: its address as Kafka clients want it.
        started: when its process was started, UTC.
    """

    pid: int
    port: int
    bootstrap: str
    started: datetime


class Started(NamedTuple):
    """A broker that was started and not stopped; it may have died since.

    `born` tells its process from a later one with the same pid.
    """

    pid: int
    born: str
    port: int
    at: datetime

    @property
    def is_alive(self) -> bool:
        """Whether that very process still runs."""
        return birth(self.pid) == self.born

    @property
    def running(self) -> Running:
        """What callers are told of it."""
        return Running(self.pid, self.port, f"{HOST}:{self.port}", self.at)


def read(file: Path) -> Started | None:
    """Return what the file says; None when there is none, or it is not ours."""
    try:
        facts = json.loads(file.read_text())
        at = datetime.fromisoformat(facts["started"])
        return Started(int(facts["pid"]), str(facts["born"]), int(facts["port"]), at.astimezone(UTC))
    except (OSError, ValueError, TypeError, KeyError, OverflowError):
        return None


def remember(file: Path, started: Started) -> None:
    """Write the file in one step: a reader sees the whole of it or nothing."""
    facts = {"pid": started.pid, "born": started.born, "port": started.port, "started": started.at.isoformat()}
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(facts, indent=1) + "\n")
    partial.replace(file)


def forget(file: Path) -> None:
    """Remove the file: the broker was stopped, or never became one."""
    file.unlink(missing_ok=True)
