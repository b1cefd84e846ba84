"""Locks: one holder at a time, and none after its death."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from headrace.streams.broker.lock import is_held, locked
from headrace.streams.errors import FolderError

HOLD = """
import sys, fcntl
file = open(sys.argv[1], "a")
getattr(fcntl, sys.argv[2])(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def holder(path: Path, kind: str) -> subprocess.Popen[bytes]:
    """Start a process that holds the lock until its stdin ends."""
    command = [sys.executable, "-c", HOLD, str(path), kind]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.readline() == b"held\n"
    return child


def test_who_comes_second_is_told_once_and_waits_until_the_holder_dies(tmp_path: Path) -> None:
    waits: list[str] = []
    child = holder(tmp_path / "lock", "flock")

    def on_wait() -> None:
        waits.append("waited")
        child.kill()

    with child, locked(tmp_path / "lock", on_wait=on_wait):
        assert waits == ["waited"]
        assert child.wait() == -signal.SIGKILL


def test_a_free_lock_is_had_at_once(tmp_path: Path) -> None:
    waits: list[str] = []
    for _ in range(2):
        with locked(tmp_path / "lock", on_wait=lambda: waits.append("waited")):
            pass
    assert waits == []


def test_two_threads_of_one_process_wait_for_each_other(tmp_path: Path) -> None:
    inside: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        with locked(tmp_path / "lock", on_wait=waiting.set):
            inside.append("second")

    with locked(tmp_path / "lock", on_wait=lambda: None):
        thread = threading.Thread(target=second)
        thread.start()
        waiting.wait()
        inside.append("first")
    thread.join()
    assert inside == ["first", "second"]


def test_a_posix_lock_of_another_process_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)  # there is no such file
    with holder(path, "lockf") as child:
        assert is_held(path)
        child.kill()
    assert not is_held(path)


@pytest.mark.provokes("HR403")
def test_a_lock_that_cannot_be_opened_names_its_folder(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(FolderError, match="is a directory"), locked(tmp_path / "lock", on_wait=lambda: None):
        pass
