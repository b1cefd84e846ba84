"""Processes that outlive the command that started them, told apart even when a pid is used again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["birth", "end", "spawn"]

POLL_SECONDS = 0.02
STOP_SECONDS = 20.0  # a controlled shutdown takes 0.3 to 0.6 s on two cores; a full disk or swap makes it long


def spawn(command: Sequence[str], *, output: Path, environment: Mapping[str, str]) -> int:
    """Start a command in a session of its own and return its pid; it gets no terminal and no signal of ours.

    Args:
        command: the program's path, then its arguments.
        output: the file that takes stdout and stderr; emptied first.
        environment: all of its variables.
    """
    append = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    return os.posix_spawn(
        command[0],
        list(command),
        dict(environment),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(output), append, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        # Python ignores SIGPIPE, and a shell's background job ignores SIGINT: neither is for the child.
        setsigdef=[signal.SIGPIPE, signal.SIGINT],
        setsigmask=[],
    )


def birth(pid: int) -> str | None:
    """Return what tells this process from any other that had or will have its pid; None when it has ended."""
    return _birth_by_proc(pid) if sys.platform == "linux" else _birth_by_ps(pid)


def end(pid: int, born: str, *, patience_seconds: float = STOP_SECONDS) -> None:
    """End a process and wait until it is gone: SIGTERM, then, when patience is over, SIGKILL."""
    for sign, seconds in ((signal.SIGTERM, patience_seconds), (signal.SIGKILL, STOP_SECONDS)):
        if birth(pid) == born:
            with suppress(ProcessLookupError):
                os.kill(pid, sign)
            _wait(pid, born, seconds)
    with suppress(ChildProcessError):  # our own child would stay a zombie until we end
        os.waitpid(pid, os.WNOHANG)


def _wait(pid: int, born: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while birth(pid) == born and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _birth_by_proc(pid: int) -> str | None:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    # proc(5): fields 3, 20 and 22 of all; the name before them may hold anything.
    state, threads, ticks = fields[0], fields[17], fields[19]
    # A killed Java is a zombie while its threads still end, and as long keeps its locks and its port.
    has_ended = state in "ZX" and int(threads) <= 1
    return None if has_ended else f"{boot}/{ticks}"


def _birth_by_ps(pid: int) -> str | None:
    asked = subprocess.run(["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = asked.stdout.strip().partition(" ")
    return started.strip() or None if not state.startswith("Z") else None
