"""`headrace broker` as a person and a program meet it."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from headrace.streams.broker.folders import Folders
from headrace.streams.broker.probe import cluster
from headrace.streams.broker.process import birth

COMMAND = [sys.executable, "-m", "headrace", "broker"]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False)


def follow_until(word: str, log: Path) -> str:
    """Write lines to the log while `logs -f` follows it; return what it printed when it saw one, and interrupt it."""
    with subprocess.Popen([*COMMAND, "logs", "-n", "0", "-f"], stdout=subprocess.PIPE) as following:
        assert following.stdout
        seen = b""
        try:
            while word.encode() not in seen:  # it may look at the end of the log only after some of our lines
                with log.open("a") as file:
                    file.write(f"{word} \N{ESCAPE}[31m\tline\n" * 500)  # enough to fill a pipe's buffer
                if select.select([following.stdout], [], [], 0.1)[0]:
                    seen += os.read(following.stdout.fileno(), 65536)
            following.send_signal(signal.SIGINT)
            assert following.wait() == 130
        finally:
            following.kill()
        return seen.decode()


@pytest.mark.broker
def test_a_broker_is_started_looked_at_and_stopped(broker_home: Path) -> None:
    started = run("start", "--port", "0")
    assert started.returncode == 0, started.stderr
    address, _, told = started.stdout.partition("  ")
    assert told.startswith("Kafka ready in ")
    assert started.stderr.splitlines()[-1] == f"waiting for Kafka to answer on port {address.rpartition(':')[2]}"

    again = run("start", "--port", "0")
    assert (again.stdout.partition(",")[0], again.stderr) == (f"{address}  Kafka runs already", "")

    shown = run("status")
    assert shown.returncode == 0
    assert shown.stdout.startswith(f"running  {address}\npid      ")

    facts = json.loads(run("status", "--json").stdout)
    assert (facts["state"], facts["bootstrap"]) == ("running", address)
    assert cluster(facts["port"], timeout_seconds=20)
    assert Path(facts["data"]).is_dir()

    logged = run("logs", "-n", "3")
    assert len(logged.stdout.splitlines()) == 3

    stopped = run("stop")
    assert (stopped.returncode, stopped.stdout) == (0, "stopped\n")
    assert birth(facts["pid"]) is None


@pytest.mark.broker
def test_a_killed_broker_is_told_as_died_and_its_log_can_be_followed(broker_home: Path) -> None:
    run("start", "--port", "0")
    facts = json.loads(run("status", "--json").stdout)
    shown = follow_until("planted", Folders.of(broker_home).logs / "kafka.log")
    assert "planted \\x1b[31m " in shown, "a terminal must not obey what strangers wrote"
    logged = run("logs").stdout
    assert "planted \\x1b[31m " in logged
    os.kill(facts["pid"], signal.SIGKILL)
    while birth(facts["pid"]):
        time.sleep(0.02)
    told = run("status")
    assert (told.returncode, told.stdout.split()[0]) == (1, "died")
    assert "`headrace broker start` starts it again, data kept" in told.stdout
    died = json.loads(run("status", "--json").stdout)
    assert (died["state"], bool(died["last_words"])) == ("died", True)


def test_a_broker_that_never_ran_is_stopped_and_there_is_nothing_to_stop() -> None:
    shown = run("status")
    assert (shown.returncode, shown.stdout) == (1, "stopped  `headrace broker start` starts it\n")
    assert json.loads(run("status", "--json").stdout)["state"] == "stopped"
    stopped = run("stop")
    assert (stopped.returncode, stopped.stdout) == (0, "the embedded broker did not run\n")
    assert not Path(os.environ["HEADRACE_HOME"]).exists(), "looking made a folder"


@pytest.mark.provokes("HR220")
def test_logs_of_a_broker_that_never_ran_say_how_to_start_one() -> None:
    told = run("logs")
    assert told.returncode == 1
    assert told.stderr.startswith("HR220 ")
    assert len(told.stderr.splitlines()) == 1


@pytest.mark.provokes("HR403")
@pytest.mark.parametrize("words", [["start"], ["start", "--port", "0"]])
def test_a_home_that_cannot_be_written_is_one_line(words: list[str]) -> None:
    Path(os.environ["HEADRACE_HOME"]).touch()
    told = run(*words)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("HR403 ")
    assert len(told.stderr.splitlines()) == 1


def test_a_port_that_is_no_port_is_wrong_usage() -> None:
    assert run("start", "--port", "65536").returncode == 2
    assert run("start", "--port", "http").returncode == 2


def test_on_a_terminal_the_waiting_is_shown_and_the_answer_stays_clean(tmp_path: Path) -> None:
    code = """
from headrace.streams.cli.progress import waiting
with waiting() as tell:
    tell("first \\x1b[31m thing")
    tell("second thing")
print("answer")
"""
    ours, theirs = pty.openpty()
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=theirs, text=True, check=True)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    assert done.stdout == "answer\n"
    assert "first \\x1b[31m thing" in shown
    assert "\N{ESCAPE}[31m" not in shown


def test_help_needs_no_kafka_no_jgo_and_no_rich() -> None:
    code = """
import sys
import time
from headrace.streams.cli.main import main
try:
    main(["broker", "start", "--help"])
except SystemExit:
    print(sorted({"jgo", "rich", "aiokafka", "requests"} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
