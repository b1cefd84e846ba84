"""What a terminal shows of what a command waits for."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

PROGRAM = """
from headrace.streams.cli.progress import waiting
with waiting() as tell:
    tell("port 9092 is taken")
    tell("waiting for Kafka")
    {end}
"""
ERASED = re.compile(r"\x1b\[2K")


def left_on_a_terminal(end: str) -> list[str]:
    """Return the lines that stay there when the command is over."""
    screen, stderr = os.openpty()
    done = subprocess.Popen([sys.executable, "-c", PROGRAM.format(end=end)], stderr=stderr)
    os.close(stderr)
    shown = b""
    try:
        while some := os.read(screen, 4096):
            shown += some
    except OSError:  # closed by the command's end
        pass
    finally:
        os.close(screen)
    done.wait(20)
    lines = shown.decode().split("\n")
    return [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", ERASED.split(line)[-1]).strip() for line in lines]


@pytest.mark.parametrize("end", ["raise SystemExit(130)", "raise KeyboardInterrupt"])
def test_the_last_phrase_stays_when_the_command_is_broken_off(end: str) -> None:
    assert {"port 9092 is taken", "waiting for Kafka"} <= {*left_on_a_terminal(end)}


def test_the_last_phrase_vanishes_when_all_went_well() -> None:
    left = left_on_a_terminal("pass")
    assert "port 9092 is taken" in left
    assert "waiting for Kafka" not in left
