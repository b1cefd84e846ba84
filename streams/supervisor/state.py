"""What the children do, in a file, for whoever wants to look: tests, `headrace status`, a person."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

__all__ = ["ChildState", "StateFile", "read_states"]

Doing = Literal["starting", "ready", "waiting", "ended"]


@dataclass(frozen=True)
class ChildState:
    """What a child does.

    Attributes:
        name: of the child.
        doing: starting, ready (it said so), waiting (to be started again), ended.
        pid: its process; None while it has none.
        starts: how often it was started.
        since: seconds since the epoch when this began.
    """

    name: str
    doing: Doing = "waiting"
    pid: int | None = None
    starts: int = 0
    since: float = field(default_factory=time.time)


class StateFile:
    """Keeps the states of all children, in a file if there is a path to it; gone when the supervisor has ended."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._states: dict[str, ChildState] = {}

    def note(self, name: str, doing: Doing, *, pid: int | None = None, is_start: bool = False) -> None:
        """Write down what a child does from now on."""
        before = self._states.get(name, ChildState(name))
        now = ChildState(name, doing, pid)
        self._states[name] = replace(now, starts=before.starts + is_start)
        self._write()

    def close(self) -> None:
        """Remove the file."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink()

    def _write(self) -> None:
        if self._path is None:
            return
        partial = self._path.with_suffix(".partial")
        with suppress(OSError):  # a full disk must not stop a pipeline
            partial.write_text(json.dumps([asdict(state) for state in self._states.values()], indent=1) + "\n")
            partial.replace(self._path)


def read_states(path: Path) -> Mapping[str, ChildState]:
    """Return what the file of a running supervisor says, by name; nothing when there is none."""
    try:
        return {said["name"]: ChildState(**said) for said in json.loads(path.read_text())}
    except (OSError, ValueError, TypeError, KeyError):
        return {}
