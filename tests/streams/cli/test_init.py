"""`headrace init`: a pipeline that runs as it is."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from headrace.streams.cli.main import COMMANDS

if TYPE_CHECKING:
    from headrace.streams.broker import Running

Headrace = Callable[..., Any]


def printed_commands(out: str) -> list[str]:
    return [line.strip() for line in out.splitlines() if line.startswith("  ")]


def test_the_files_it_writes_are_right_and_small(
    headrace: Headrace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = headrace("init", "try")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[:2] == ["wrote try/pipeline.yaml", "wrote try/sample.jsonl (10 messages)"]
    assert headrace("check", "try/pipeline.yaml").code == 0
    messages = [json.loads(line) for line in Path("try/sample.jsonl").read_text().splitlines()]
    assert len(messages) == 10
    assert all(message["user"] and message["text"] for message in messages)


def test_the_next_commands_are_ones_that_there_are(headrace: Headrace, tmp_path: Path) -> None:
    commands = [shlex.split(line) for line in printed_commands(headrace("init", tmp_path / "my try").out)]
    assert [words[-1 if words[-1] in COMMANDS else words.index("headrace") + 1] for words in commands] == [
        "publish",
        "run",
        "tail",
    ]


@pytest.mark.parametrize(
    ("folder", "name"),
    [("try", "try"), ("My Try_2", "my-try-2"), ("2024-07", "pipeline"), ("ünïcode", "n-code"), ("x" * 90, "x" * 40)],
)
def test_a_pipeline_is_named_after_its_folder(headrace: Headrace, tmp_path: Path, folder: str, name: str) -> None:
    headrace("init", tmp_path / folder)
    facts = json.loads(headrace("plan", tmp_path / folder / "pipeline.yaml", "--json").out)
    assert facts["pipeline"] == name


@pytest.mark.provokes("HR430")
def test_what_is_there_is_never_overwritten_unless_forced(headrace: Headrace, tmp_path: Path) -> None:
    mine = tmp_path / "sample.jsonl"
    mine.write_text("precious\n")
    outcome = headrace("init", tmp_path)
    assert outcome.code == 1
    assert outcome.err == f"HR430 {mine} is there already; choose another folder, or add --force to overwrite\n"
    assert mine.read_text() == "precious\n"
    assert not (tmp_path / "pipeline.yaml").exists()
    assert headrace("init", tmp_path, "--force").code == 0
    assert mine.read_text() != "precious\n"


@pytest.mark.provokes("HR431")
def test_a_place_that_cannot_be_written_is_named_with_the_reason(headrace: Headrace, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outcome = headrace("init", tmp_path / "file" / "inner")
    assert outcome.code == 1
    assert outcome.err.startswith(f"HR431 cannot write {tmp_path}/file/inner/pipeline.yaml: not a directory; choose")


@pytest.mark.broker
def test_the_printed_commands_work_verbatim_from_where_one_stands(kafka: Running, tmp_path: Path) -> None:
    stand = tmp_path / "a place"
    stand.mkdir()
    variables = {**os.environ, "HEADRACE_BROKER": kafka.bootstrap}
    command = [sys.executable, "-m", "headrace", "init", f"first try {os.getpid()}"]
    shown = subprocess.run(command, cwd=stand, capture_output=True, text=True, check=True, timeout=60)
    publish, run, tail = printed_commands(shown.stdout)

    def shell(line: str, **settings: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(["bash", "-c", f"exec {line}"], cwd=stand, env=variables, text=True, **settings)

    sent = shell(publish, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert sent.communicate(timeout=60)[0].startswith("sent 10 messages to first-try-")
    running = shell(run, stderr=subprocess.PIPE)
    try:
        seen = shell(f"{tail} --json --count 13 --idle-exit 60", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lines = [json.loads(line) for line in seen.communicate(timeout=90)[0].splitlines()]
    finally:
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)
    assert sorted(line["topic"].partition(".")[2] for line in lines) == ["alerts"] * 3 + ["scored"] * 10
    assert {line["output"]["label"] for line in lines} == {"positive", "negative", "unsure"}
