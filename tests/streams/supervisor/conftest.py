"""A supervisor as a process of its own, with small Python programs as its children."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

PATIENCE_S = 30.0
SUPERVISE = """
import json, os, sys
from pathlib import Path
from headrace.streams.supervisor import child
from headrace.streams.supervisor.supervise import supervise

said = json.loads(sys.argv[1])
child.OUTPUT_S = said.pop("output_s", 20)  # this machine may stand still for longer than those that are supervised
specs = [child.ChildSpec(name, argv, dict(os.environ)) for name, argv in said.pop("children").items()]
said["state_file"] = Path(said["state_file"]) if "state_file" in said else None
sys.exit(supervise(specs, **said))
"""

Start = Callable[..., "Supervisor"]


def python(code: str) -> list[str]:
    """Return the command that runs the code, quickly."""
    return [sys.executable, "-u", "-I", "-S", "-c", f"from sys import exit\n{code}"]


UP = 'print("up", flush=True)\n'
PATIENT = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: exit(0))\n" + UP + "while True: signal.pause()"
"""A child that runs until it is told to end, and then ends well."""


class Supervisor:
    """A running supervisor, whose log is collected as it comes.

    Args:
        children: a command for each name; a text is Python code.
        options: more of `supervise`.
    """

    def __init__(self, children: dict[str, str | list[str]], **options: Any) -> None:
        commands = {name: python(said) if isinstance(said, str) else said for name, said in children.items()}
        asked = json.dumps({"children": commands, **options})
        self.process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISE, asked], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        self.log, self._news, self._ended = b"", threading.Condition(), False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def lines(self) -> list[str]:
        """The whole lines of its log so far."""
        return self.log.decode().split("\n")[:-1]

    @property
    def pids(self) -> list[int]:
        """The processes that it started, in order."""
        return [int(pid) for pid in re.findall(r" started, process (\d+)", self.log.decode())]

    def said(self, pattern: str, count: int = 1) -> list[str]:
        """Wait until so many lines match, and return them."""
        with self._news:
            ok = self._news.wait_for(lambda: len(self._found(pattern)) >= count or self._ended, PATIENCE_S)
        assert ok, f"{PATIENCE_S} s for {pattern!r}: {self.lines}"
        assert len(self._found(pattern)) >= count, f"no {pattern!r}: {self.lines}"
        return self._found(pattern)

    def signal(self, sign: signal.Signals) -> None:
        self.process.send_signal(sign)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.signal(signal.SIGTERM)
        return self.end()

    def end(self) -> int:
        """Wait until it ends, and return its exit code; all of its log is there."""
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return code

    def _found(self, pattern: str) -> list[str]:
        return [line for line in self.lines if re.search(pattern, line)]

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            with self._news:
                self.log += line
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()


@pytest.fixture
def supervisor() -> Iterator[Start]:
    """Start supervisors; at the end of the test they and all their children are gone."""
    started: list[Supervisor] = []

    def start(children: dict[str, Any], **options: Any) -> Supervisor:
        started.append(Supervisor(children, **options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait(PATIENCE_S)
        for pid in one.pids:
            if is_ours(pid):
                os.kill(pid, signal.SIGKILL)


def is_ours(pid: int) -> bool:
    """Whether that process still lives and leads a session, as children do."""
    try:
        return os.getsid(pid) == pid and not is_zombie(pid)
    except ProcessLookupError:
        return False


def is_zombie(pid: int) -> bool:
    from headrace.streams.broker.process import birth

    return birth(pid) is None
