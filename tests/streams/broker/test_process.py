"""Processes that outlive us, are told apart and end when told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from headrace.streams.broker import process


def spawn(code: str, tmp_path: Path) -> tuple[int, str]:
    pid = process.spawn([sys.executable, "-c", code], output=tmp_path / "out", environment=os.environ)
    born = process.birth(pid)
    assert born
    return pid, born


def wait_for(text: str, file: Path) -> None:
    """Return when the file holds the text; the test's own timeout is the limit."""
    while text not in file.read_text():
        time.sleep(0.02)


def test_a_spawned_process_has_a_session_and_an_output_of_its_own(tmp_path: Path) -> None:
    go = tmp_path / "go"
    waits = f"import os, sys, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
    pid, born = spawn(f"{waits}print(os.getsid(0), sys.stdin.read()); print('err', file=sys.stderr)", tmp_path)
    go.touch()
    os.waitpid(pid, 0)
    assert (tmp_path / "out").read_text().split() == [str(pid), "err"]
    assert process.birth(pid) != born


def test_a_process_ends_when_asked(tmp_path: Path) -> None:
    pid, born = spawn("print('up', flush=True); import signal; signal.pause()", tmp_path)
    wait_for("up", tmp_path / "out")
    process.end(pid, born)
    with pytest.raises(ProcessLookupError):  # not even a zombie is left
        os.kill(pid, 0)


def test_a_process_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    pid, born = spawn(deaf, tmp_path)
    wait_for("deaf", tmp_path / "out")
    process.end(pid, born, patience_seconds=0.1)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_zombie_has_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.read()  # it has closed its output, so it is ending
        while process.birth(child.pid):
            time.sleep(0.02)
        os.kill(child.pid, 0)  # nobody has waited for it: it is still in the table


def test_who_has_the_pid_now_is_not_touched(tmp_path: Path) -> None:
    pid, born = spawn("print('up', flush=True); import signal; signal.pause()", tmp_path)
    wait_for("up", tmp_path / "out")
    process.end(pid, "another birth")
    assert process.birth(pid) == born
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_pid_that_nobody_has_was_not_born() -> None:
    assert process.birth(2**22 + 1) is None


@pytest.mark.parametrize("by", [process._birth_by_proc, process._birth_by_ps])
def test_both_ways_to_look_tell_two_processes_apart_and_say_the_same_twice(by, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert by(os.getpid()) == by(os.getpid())
    assert by(os.getpid()) != by(1)
    assert by(2**22 + 1) is None
