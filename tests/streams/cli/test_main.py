"""The front door: what every command does alike."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headrace.streams.cli import check
from headrace.streams.cli.main import COMMANDS

Headrace = Callable[..., Any]


def fail(error: BaseException) -> Callable[..., Any]:
    def raise_it(*args: Any, **options: Any) -> Any:
        raise error

    return raise_it


def test_help_lists_every_command_without_importing_one() -> None:
    program = (
        "import sys\nfrom headrace.streams.cli.main import main\n"
        "try:\n    main(['--help'])\n"
        "finally:\n    assert 'headrace.streams.cli.check' not in sys.modules\n"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert [name for name in COMMANDS if f"\n  {name} " not in shown.stdout] == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_there_and_says_what_it_does(headrace: Headrace, name: str) -> None:
    outcome = headrace(name, "--help")
    assert (outcome.code, outcome.out.startswith(f"Usage: headrace {name} ")) == (0, True)


def test_a_mistyped_command_is_refused_with_the_nearest(headrace: Headrace) -> None:
    outcome = headrace("chekc")
    assert (outcome.code, "no command 'chekc'; did you mean 'check'?" in outcome.err) == (2, True)


@pytest.mark.provokes("HR999")
def test_a_surprise_is_one_line_with_a_code(
    headrace: Headrace, pipeline_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "_compile", fail(ZeroDivisionError("by\n zero")))
    outcome = headrace("check", pipeline_file)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == (
        "HR999 unexpected ZeroDivisionError: by zero; run again with --debug and report what it prints\n"
    )


def test_debug_shows_the_traceback_wherever_it_stands(
    headrace: Headrace, pipeline_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "_compile", fail(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        headrace("check", pipeline_file, "--debug")


def test_an_interrupt_is_130_and_says_nothing(
    headrace: Headrace, pipeline_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "_compile", fail(KeyboardInterrupt()))
    outcome = headrace("check", pipeline_file)
    assert (outcome.code, outcome.out, outcome.err.strip()) == (130, "", "")


def test_a_reader_that_has_enough_is_a_good_end() -> None:
    outlet, inlet = os.pipe()
    os.close(outlet)
    command = [sys.executable, "-m", "headrace", "explain"]
    ended = subprocess.run(command, stdout=inlet, stderr=subprocess.PIPE, check=False, timeout=60)
    os.close(inlet)
    assert (ended.returncode, ended.stderr) == (0, b"")
