"""The one log stream: names before lines, colours on a terminal, nothing that acts on it."""

from __future__ import annotations

import json
import os
import pty
import threading
from collections.abc import Iterator

import pytest

from headrace.streams.supervisor.voice import Voice, wants_colour


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """The two ends of a terminal with colours."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    ends = pty.openpty()
    yield ends
    for end in ends:
        os.close(end)


def test_names_are_padded_to_one_width(pipe: tuple[int, int]) -> None:
    voice = Voice(["main", "expert-1.2"], fd=pipe[1])
    voice.pass_on("main", [b"one"])
    voice.pass_on("expert-1.2", [b"two", b""])
    assert os.read(pipe[0], 1000).decode().splitlines() == ["main       | one", "expert-1.2 | two", "expert-1.2 | "]


def test_each_name_has_a_colour_of_its_own_on_a_terminal(terminal: tuple[int, int]) -> None:
    voice = Voice(["main", "expert"], fd=terminal[1])
    voice.pass_on("main", [b"one"])
    voice.pass_on("expert", [b"two"])
    voice.say("three")
    voice.close()
    data = b""
    while data.count(b"\n") < 3:  # a terminal gives what it has so far
        data += os.read(terminal[0], 1000)
    seen = data.decode().splitlines()
    assert seen[0] == "\x1b[36mmain     |\x1b[0m one"
    assert seen[1] == "\x1b[33mexpert   |\x1b[0m two"
    assert seen[2].startswith("\x1b[1mheadrace |\x1b[0m ")
    assert seen[2].endswith(" INFO    three")


def test_colours_are_for_terminals_and_for_those_who_want_them(
    terminal: tuple[int, int], pipe: tuple[int, int]
) -> None:
    assert wants_colour(terminal[1], {})
    assert not wants_colour(terminal[1], {"NO_COLOR": "1"})
    assert not wants_colour(terminal[1], {"TERM": "dumb"})
    assert not wants_colour(pipe[1], {})


def test_what_a_line_holds_does_not_act_on_the_terminal(pipe: tuple[int, int]) -> None:
    voice = Voice(["main"], fd=pipe[1])
    voice.pass_on("main", [b"\x1b[2J\ta\xff\rb"])
    assert os.read(pipe[0], 1000) == b"main     | \\x1b[2J    a\\xff\\rb\n"


def test_json_lines_pass_unchanged_and_others_become_json(pipe: tuple[int, int]) -> None:
    voice = Voice(["main"], form="json", facts={"pipeline": "reviews"}, fd=pipe[1])
    line = b'{ "message" : "\\u00e9" }'
    voice.pass_on("main", [line, b"{no", b"bytes \xff"])
    voice.say("own", "warning", worker="main")
    voice.close()
    first, *others = os.read(pipe[0], 10_000).splitlines()
    assert first == line
    broken, odd, own = map(json.loads, others)
    assert (broken["message"], broken["worker"], broken["pipeline"]) == ("{no", "main", "reviews")
    assert odd["message"] == "bytes \\xff"
    assert (own["message"], own["level"], own["logger"]) == ("own", "warning", "headrace.supervisor")


def test_lines_of_many_threads_are_never_torn(pipe: tuple[int, int]) -> None:
    names = [f"w{at}" for at in range(8)]
    voice = Voice(names, fd=pipe[1])
    lines = [b"x" * 5000] * 20
    threads = [threading.Thread(target=voice.pass_on, args=(name, lines)) for name in names]
    for thread in threads:
        thread.start()
    seen = b""
    while seen.count(b"\n") < 8 * 20:
        seen += os.read(pipe[0], 1 << 16)
    for thread in threads:
        thread.join()
    assert {line.partition(b"| ")[2] for line in seen.splitlines()} == {b"x" * 5000}


def test_a_reader_that_has_gone_disturbs_nobody() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    voice = Voice(["main"], fd=writer)
    voice.pass_on("main", [b"one"])
    voice.say("two")
    voice.close()
    os.close(writer)


def test_the_supervisor_never_waits_for_a_reader_that_does_not_read(pipe: tuple[int, int]) -> None:
    voice = Voice(["main"], fd=pipe[1])
    threading.Thread(target=voice.pass_on, args=("main", [b"x" * 99] * 10_000), daemon=True).start()
    voice.say("said at once")
    voice.close()  # it gives up waiting
    seen = b""
    while b"said at once" not in seen:
        seen += os.read(pipe[0], 1 << 16)
