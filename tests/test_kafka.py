"""The suite's own Kafka never outlives the suite, however that ends.

It would prove nothing if the planted run never started a Kafka; its pid is read from that Kafka's state for that.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from headrace.streams.broker.process import birth

ENDS = {
    "a failed test": "assert False",
    "Ctrl-C": "os.kill(os.getpid(), signal.SIGINT)",
    "kill -9": "os.kill(os.getpid(), signal.SIGKILL)",
}


@pytest.mark.broker
@pytest.mark.parametrize("end", ENDS)
def test_no_kafka_is_left_after(end: str, tmp_path: Path) -> None:
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    shutil.copy(Path(__file__).with_name("allowed_skips.txt"), tmp_path)
    planted = f"import os, signal\ndef test_planted(kafka):\n    {ENDS[end]}\n"
    (tmp_path / "test_planted.py").write_text(planted)
    command = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", ".", "--basetemp", "temp", "."]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as suite:
        states = tmp_path / "temp" / "kafka0" / "broker" / "state.json"
        while not states.exists():
            assert suite.poll() is None, suite.stdout and suite.stdout.read()
            time.sleep(0.02)
        pid = json.loads(states.read_text())["pid"]
        assert birth(pid)
        suite.communicate()
        assert suite.returncode != 0
    while birth(pid):  # the watcher stops it; the test's timeout is the limit
        time.sleep(0.02)


def test_names_are_fit_for_topics_and_pipelines_and_differ(topic: Callable[..., str]) -> None:
    assert topic() == topic()
    assert topic("out") == f"{topic()}-out"
    assert len(topic("a-role-that-goes-on-and-on")) <= 40
    assert topic()[0].isalpha()


def test_007_a_name_that_begins_with_a_digit_is_fit_too(topic: Callable[..., str]) -> None:
    assert re.fullmatch(r"t-007-[a-z0-9-]{0,34}", topic())
