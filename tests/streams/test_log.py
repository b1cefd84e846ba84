"""Logs: text for people, JSON for programs, and no line a thousand times."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator

import pytest

from headrace.streams.log import LogFormat, RepeatFilter, set_up_logs


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _leave_no_trace() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    root.handlers[:], root.level = before
    logging.captureWarnings(False)
    for name in ("aiokafka", "faust", "mode", "kafka"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def line(message: str = "away: %s", *args: object, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord("aiokafka", level, "", 0, message, args or (1,), None)


def test_a_line_that_repeats_passes_once_and_later_says_how_often_it_came() -> None:
    clock = Clock()
    repeats = RepeatFilter(10.0, clock)
    assert repeats.filter(line())
    assert not any(repeats.filter(line("away: %s", number)) for number in range(99))
    clock.now = 10.0
    again = line("away: %s", 7)
    assert repeats.filter(again)
    assert again.getMessage() == "away: 7 (99 more like this in 10 s)"


def test_the_pauses_grow_as_long_as_the_line_keeps_coming() -> None:
    clock = Clock()
    repeats = RepeatFilter(10.0, clock)
    passed = []
    for second in range(12 * 3600):
        clock.now = float(second)
        if repeats.filter(line()):
            passed.append(second)
    assert passed[:4] == [0, 10, 30, 70]
    assert len(passed) < 80, "a night without a broker"


def test_a_line_that_was_over_is_new_when_it_comes_back() -> None:
    clock = Clock()
    repeats = RepeatFilter(10.0, clock)
    repeats.filter(line())
    clock.now = 100.0
    back = line("away: %s", 2)
    assert repeats.filter(back)
    assert back.getMessage() == "away: 2"


def test_lines_of_another_kind_and_plain_information_always_pass() -> None:
    repeats = RepeatFilter(10.0, Clock())
    assert repeats.filter(line("one"))
    assert repeats.filter(line("two"))
    assert all(repeats.filter(line(level=logging.INFO)) for _ in range(10))


def test_a_library_that_never_says_the_same_twice_fills_no_memory() -> None:
    repeats = RepeatFilter(10.0, Clock())
    for number in range(5_000):
        repeats.filter(line(f"connection {number} lost"))
    assert len(repeats._lines) <= 1_000


def test_every_json_line_carries_the_facts_and_can_be_read_whatever_is_in_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs("json", "info", pipeline="reviews", stage="main")
    log = logging.getLogger("headrace.test")
    log.info("one\nmessage with %s", '"quotes" \ud83d', extra={"record": "reviews:0:1"})
    log.error("failed", exc_info=ValueError("x"))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    first, second, third = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (first["pipeline"], first["stage"], first["level"], first["record"]) == (
        "reviews",
        "main",
        "info",
        "reviews:0:1",
    )
    assert first["message"] == 'one\nmessage with "quotes" \ud83d'
    assert first["time"].endswith("Z")
    assert second["exception"] == "ValueError: x"
    assert third["logger"] == "py.warnings"


def test_a_line_for_people_is_one_line_with_a_time_and_no_escape_of_a_stranger_acts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs("text", "info", pipeline="100%", stage="main")
    logging.getLogger("headrace.test").warning("red: \x1b[31m\nnext")
    assert capsys.readouterr().err.endswith("WARNING 100% main red: \\x1b[31m\\nnext\n")


@pytest.mark.parametrize("form", ["text", "json"])
def test_payloads_that_aiokafka_would_show_at_debug_never_show(
    capsys: pytest.CaptureFixture[str], form: LogFormat
) -> None:
    set_up_logs(form, "debug", pipeline="reviews")
    logging.getLogger("aiokafka.producer.producer").debug("Sending (key=%s value=%s) to %s", b"k", b"secret", "t")
    logging.getLogger("headrace.test").debug("ours")
    written = capsys.readouterr().err
    assert "secret" not in written
    assert "ours" in written
