"""`headrace dlq`: which dead letters there are, one of them whole, and publishing them again, once each."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from headrace.core.record import Position
from tests.support.client import Seen
from tests.support.controlled import Controlled
from tests.support.letters import NOON_MS, bury

pytestmark = pytest.mark.broker

Headrace = Callable[..., Any]
HOUR_MS = 3_600_000
HOSTILE = "\x1b]0;owned\x07\x9b31m\u202e"


def places(headrace: Headrace, controlled: Controlled, *words: str) -> list[str]:
    outcome = headrace("dlq", "list", controlled.file, *words, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    return [json.loads(line)["letter"] for line in outcome.out.splitlines()]


def inputs(controlled: Controlled, count: int, topic: str = "") -> list[Seen]:
    """Return what lies on the input: so many messages, and no more. A commit is visible a moment after it is made."""
    found = controlled.client.first(topic or controlled.pipeline, count) if count else []
    assert len(controlled.client.all(topic or controlled.pipeline)) == count
    return found


# -- list


def test_letters_are_listed_in_the_order_in_which_they_died(headrace: Headrace, controlled: Controlled) -> None:
    now = time.time() * 1000
    late = bury(controlled, died_ms=now, attempt=3)
    early = bury(controlled, died_ms=now - HOUR_MS, partition=1, code="HR504", kind="publisher", plugin="json")
    outcome = headrace("dlq", "list", controlled.file)
    assert (outcome.code, outcome.err) == (0, "")
    table, kinds = outcome.out.split("\nKinds\n")
    heads, first, second = table.splitlines()
    assert heads.split() == ["letter", "died", "code", "stage", "plugin", "attempt", "redriven", "record", "key", "why"]
    assert [first.split()[0], second.split()[0]] == [early, late]
    assert first.split()[3:] == [
        "HR504",
        "ingress",
        "json",
        "1",
        "0",
        f"{controlled.pipeline}:1:7",
        "ann",
        "it",
        "hurts",
    ]
    assert second.split()[3:7] == ["HR501", "ingress", "fault", "3"]
    assert [line.split() for line in kinds.splitlines()[1:3]] == [
        ["HR501", "author", "ingress", "fault", "1"],
        ["HR504", "publisher", "ingress", "json", "1"],
    ]
    assert kinds.splitlines()[-1] == f"2 dead letters in {controlled.pipeline}.dead"


def test_only_the_last_ones_are_shown_and_all_are_counted(headrace: Headrace, controlled: Controlled) -> None:
    found = [bury(controlled, died_ms=NOON_MS + at) for at in range(4)]
    outcome = headrace("dlq", "list", controlled.file, "--limit", "2")
    assert [line.split()[0] for line in outcome.out.splitlines()[1:3]] == found[2:]
    assert outcome.out.splitlines()[-1].endswith("; the last 2 are shown, --limit N shows more")
    assert "4 dead letters" in outcome.out
    assert places(headrace, controlled, "--limit", "2") == found[2:]
    assert sorted(places(headrace, controlled)) == found


def test_letters_are_selected_by_reason_place_time_and_record(headrace: Headrace, controlled: Controlled) -> None:
    now = time.time() * 1000
    step = bury(controlled, died_ms=now - 3 * HOUR_MS)
    text = bury(
        controlled,
        died_ms=now - HOUR_MS,
        code="HR504",
        error="TextMissingError",
        kind="publisher",
        plugin="json",
        source=Position("t", 0, 3),
    )
    model = bury(
        controlled, died_ms=now, stage="quick", plugin="lexicon", headers=(("ce_id", b"1"), ("ce_source", b"/s"))
    )

    def select(*words: str) -> list[str]:
        return places(headrace, controlled, *words)

    assert (
        select("--reason", "hr504")
        == select("--reason", "publisher")
        == select("--reason", "TextMissingError")
        == [text]
    )
    assert select("--reason", "HR504", "--reason", "HR501") == [step, text, model]
    assert select("--plugin", "lexicon") == select("--stage", "quick") == select("--id", "/s|1") == [model]
    assert select("--id", "t:0:3") == [text]
    assert select("--since", "2h") == [text, model]
    assert select("--until", "2h") == [step]
    assert select("--since", "2h", "--until", "30m") == [text]
    assert select("--since", time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now / 1000 - 7200))) == [text, model]
    assert select("--reason", "HR504", "--stage", "quick") == []
    assert headrace("dlq", "list", controlled.file, "--since", "noon").code == 2


def test_where_there_is_no_dead_letter_topic_there_is_no_letter(headrace: Headrace, controlled: Controlled) -> None:
    outcome = headrace("dlq", "list", controlled.file)
    assert (outcome.code, outcome.out) == (0, f"no such dead letter in {controlled.pipeline}.dead\n")
    assert controlled.client.partitions(f"{controlled.pipeline}.dead") == 0


def test_nothing_in_a_letter_acts_on_the_terminal(headrace: Headrace, controlled: Controlled) -> None:
    evil = HOSTILE.encode()
    place = bury(
        controlled,
        b'{"text": "' + evil + b'"}',
        key=evil,
        headers=((HOSTILE, evil), ("ce_id", evil), ("ce_source", evil)),
        message=HOSTILE,
        plugin=HOSTILE,
        stacktrace=f"one\n{HOSTILE}",
    )
    for words in (("list",), ("show", place), ("redrive", "--dry-run")):
        command, *more = words
        for form in ((), ("--json",)):
            outcome = headrace("dlq", command, controlled.file, *more, *form)
            assert outcome.code == 0
            assert all(char.isprintable() or char == "\n" for char in outcome.out), words
    shown = json.loads(headrace("dlq", "show", controlled.file, place, "--json").out)
    assert (shown["key"], shown["plugin"]) == (HOSTILE, HOSTILE)


def test_on_a_terminal_it_is_a_table(controlled: Controlled) -> None:
    bury(controlled, message=HOSTILE)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "headrace", "dlq", "list", str(controlled.file)]
    with subprocess.Popen(command, stdout=theirs, env={**os.environ, "COLUMNS": "200", "TERM": "xterm"}) as child:
        os.close(theirs)
        seen = b""
        try:
            while more := os.read(ours, 65536):
                seen += more
        except OSError:
            pass  # the end, on Linux
        assert child.wait(20) == 0
    text = seen.decode()
    assert "HR501" in text
    assert "\\x1b]0;owned" in text
    assert "\x1b]0" not in text


# -- show


def test_one_letter_is_shown_whole(headrace: Headrace, controlled: Controlled) -> None:
    place = bury(
        controlled,
        b"x" * 3000,
        headers=(("trace", b"abc"), ("empty", None), ("headrace.redriven", b"2"), ("headrace.attempt", b"8")),
        attempt=4,
        output="scored",
        stacktrace="Traceback:\n  here",
    )
    outcome = headrace("dlq", "show", controlled.file, place)
    assert (outcome.code, outcome.err) == (0, "")
    said = dict(line.split(maxsplit=1) for line in outcome.out.splitlines()[:12])
    assert said["letter"] == f"{place} of {controlled.pipeline}.dead"
    assert said["code"] == "HR501 (author can mend it)"
    assert (said["why"], said["stage"], said["plugin"], said["attempts"]) == ("it hurts", "ingress", "fault", "12")
    assert said["output"] == "scored; the others have the result"
    assert said["redriven"] == "2 times before it failed again"
    assert said["record"] == f"{controlled.pipeline}:1:7"
    assert "key       ann" in outcome.out
    assert "2026-11-23T12:00:00.000Z" in outcome.out
    assert outcome.out.split("\nHeaders\n")[1].splitlines()[:3] == ["name   value", "trace  abc", "empty  -"]
    assert "\nTrace\nTraceback:\n  here\n" in outcome.out
    assert outcome.out.endswith(f"\nBody, 3,000 bytes\n{'x' * 2000}\n... 1,000 bytes more; --whole shows them\n")
    assert headrace("dlq", "show", controlled.file, place, "--whole").out.endswith(f"\n{'x' * 3000}\n")
    facts = json.loads(headrace("dlq", "show", controlled.file, place, "--json").out)
    assert facts["value"] == "x" * 3000
    assert facts["headers"] == [["trace", "abc"], ["empty", None]]


@pytest.mark.provokes("HR445")
def test_a_letter_that_is_not_there_is_refused(headrace: Headrace, controlled: Controlled) -> None:
    bury(controlled)
    outcome = headrace("dlq", "show", controlled.file, "0:9")
    dead = f"{controlled.pipeline}.dead"
    assert (outcome.code, outcome.err) == (
        1,
        f"HR445 there is no dead letter 0:9 in {dead}; partition 0 holds 0 to 0\n",
    )
    assert headrace("dlq", "show", controlled.file, "9:0").code == 1
    assert headrace("dlq", "show", controlled.file, "nine").code == 2
    assert headrace("dlq", "redrive", controlled.file, "0:9", "--yes").code == 1


# -- redrive


def test_a_letter_goes_back_as_it_came_and_says_which_record_it_is(headrace: Headrace, controlled: Controlled) -> None:
    own = (("trace", b"abc"), ("trace", b"abd"), ("empty", None))
    bury(controlled, b"\xff\x00", key=b"\xfe", headers=own, attempt=4)
    outcome = headrace("dlq", "redrive", controlled.file, "--yes")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[-1] == f"redrove 1 letter to {controlled.pipeline}"
    (seen,) = inputs(controlled, 1)
    assert (seen.key, seen.value, seen.timestamp_ms, seen.partition) == (b"\xfe", b"\xff\x00", NOON_MS, 1)
    assert seen.headers == (
        *own,
        ("headrace.id", f"{controlled.pipeline}:1:7".encode()),
        ("headrace.redriven", b"1"),
        ("headrace.attempt", b"4"),
    )


def test_a_letter_is_redriven_once_and_again_only_when_asked(headrace: Headrace, controlled: Controlled) -> None:
    first, second = bury(controlled), bury(controlled, code="HR504")
    outcome = headrace("dlq", "redrive", controlled.file, "--reason", "HR501", "--yes", "--json")
    assert (json.loads(outcome.out)["redriven"], len(inputs(controlled, 1))) == (1, 1)
    assert places(headrace, controlled, "--waiting") == [second]
    assert "0, and since" in headrace("dlq", "list", controlled.file).out

    outcome = headrace("dlq", "redrive", controlled.file, "--yes", "--json")
    said = json.loads(outcome.out)
    assert (said["picked"], said["redriven"], said["redriven_before"], said["done"]) == (1, 1, 1, True)
    inputs(controlled, 2)
    outcome = headrace("dlq", "redrive", controlled.file, "--yes")
    assert outcome.out.splitlines() == [
        "",
        "2 letters left out: redriven already; --again takes them once more",
        "nothing to redrive",
    ]

    assert headrace("dlq", "redrive", controlled.file, first, "--again", "--yes").code == 0
    inputs(controlled, 3)


def test_a_letter_at_the_place_of_one_that_was_redriven_is_another_one(
    headrace: Headrace, controlled: Controlled
) -> None:
    dead = f"{controlled.pipeline}.dead"
    bury(controlled)
    assert headrace("dlq", "redrive", controlled.file, "--yes").code == 0
    controlled.client.delete_topic(dead)
    place = bury(controlled)
    assert places(headrace, controlled, "--waiting") == [place]


def test_a_dry_run_says_what_would_be_done_and_does_nothing(headrace: Headrace, controlled: Controlled) -> None:
    bury(controlled)
    outcome = headrace("dlq", "redrive", controlled.file, "--dry-run")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        "",
        f"To {controlled.pipeline}",
        "code   class   stage    plugin  letters",
        "HR501  author  ingress  fault   1",
        f"would redrive 1 letter to {controlled.pipeline}",
    ]
    assert json.loads(headrace("dlq", "redrive", controlled.file, "--dry-run", "--json").out)["done"] is False
    inputs(controlled, 0)
    assert controlled.client.partitions(f"{controlled.pipeline}.redriven") == 0


def test_nobody_there_to_be_asked_means_no(headrace: Headrace, controlled: Controlled) -> None:
    bury(controlled)
    outcome = headrace("dlq", "redrive", controlled.file)
    assert outcome.code == 2
    assert "say --yes" in outcome.err
    inputs(controlled, 0)


def test_a_letter_without_its_original_is_left_out_by_name(headrace: Headrace, controlled: Controlled) -> None:
    missing = bury(controlled, is_missing=True)
    frame = bury(controlled, source=Position(f"{controlled.pipeline}.link.quick", 0, 1))
    controlled.client.publish(f"{controlled.pipeline}.dead", {"value": b"a stranger's", "partition": 1})
    bury(controlled)
    outcome = headrace("dlq", "redrive", controlled.file, "--yes")
    assert outcome.code == 0
    assert (
        f"1 letter cannot be redriven: the original is missing (MessageSizeTooLargeError): {missing}\n" in outcome.out
    )
    assert (
        f"1 letter cannot be redriven: it is a damaged frame of a link, no message of the input: {frame}\n"
        in outcome.out
    )
    assert "1 letter cannot be redriven: it is no dead letter of Headrace: 1:0\n" in outcome.out
    inputs(controlled, 1)
    outcome = headrace("dlq", "redrive", controlled.file, missing, "--yes")
    assert (outcome.code, outcome.err.partition(" ")[0]) == (1, "HR445")


def test_a_tombstone_without_a_key_goes_back_too(headrace: Headrace, controlled: Controlled) -> None:
    bury(controlled, None, key=None, code="HR502")
    assert headrace("dlq", "redrive", controlled.file, "--yes").code == 0
    (seen,) = inputs(controlled, 1)
    assert (seen.key, seen.value) == (None, None)


def test_it_goes_to_another_topic_when_asked(
    headrace: Headrace, controlled: Controlled, topic: Callable[..., str]
) -> None:
    other = topic("other")
    controlled.client.make_topic(other, 1, max_message_bytes="2000")
    small, large = bury(controlled, output="scored"), bury(controlled, os.urandom(4000))
    outcome = headrace("dlq", "redrive", controlled.file, "--to", other, "--yes")
    assert f"1 letter cannot be redriven: it is larger than '{other}' takes: {large}\n" in outcome.out
    (seen,) = inputs(controlled, 1, other)
    assert seen.value == b'{"text": "fine"}'
    assert "headrace.only_output" not in dict(seen.headers)
    assert places(headrace, controlled, "--waiting") == [large] != [small]


def test_a_letter_of_one_output_goes_to_that_one_only_while_the_file_has_it(
    headrace: Headrace, controlled: Controlled
) -> None:
    bury(controlled, output=f"{controlled.pipeline}.out")
    bury(controlled, output="gone")
    assert headrace("dlq", "redrive", controlled.file, "--yes").code == 0
    first, second = inputs(controlled, 2)
    assert dict(first.headers)["headrace.only_output"] == f"{controlled.pipeline}.out".encode()
    assert "headrace.only_output" not in dict(second.headers)


@pytest.mark.provokes("HR447")
def test_it_does_not_go_to_topics_of_headrace_or_to_none(headrace: Headrace, controlled: Controlled) -> None:
    bury(controlled)
    for wrong, code in ((f"{controlled.pipeline}.dead", "HR447"), ("no such", "HR447"), ("no-such", "HR211")):
        outcome = headrace("dlq", "redrive", controlled.file, "--to", wrong, "--yes")
        assert (outcome.code, outcome.err.partition(" ")[0]) == (1, code)


def test_letters_past_the_deadline_can_have_the_present_time(headrace: Headrace, controlled: Controlled) -> None:
    controlled.file.write_text(f"{controlled.file.read_text()}delivery: {{deadline: 1m}}\n")
    bury(controlled, timestamp_ms=int(time.time() * 1000) - HOUR_MS)
    outcome = headrace("dlq", "redrive", controlled.file, "--dry-run")
    assert "1 letter older than delivery.deadline: they would expire; --new-time mends that\n" in outcome.out
    began = time.time() * 1000
    outcome = headrace("dlq", "redrive", controlled.file, "--new-time", "--yes")
    assert "deadline" not in outcome.out
    (seen,) = inputs(controlled, 1)
    assert seen.timestamp_ms >= began - 1


def test_a_rate_is_kept(headrace: Headrace, controlled: Controlled) -> None:
    for _ in range(11):
        bury(controlled)
    said = json.loads(headrace("dlq", "redrive", controlled.file, "--rate", "5/s", "--yes", "--json").out)
    assert said["redriven"] == 11
    assert said["seconds"] >= 1.8


@pytest.mark.provokes("HR446")
def test_of_two_that_redrive_at_once_one_ends_and_nothing_goes_twice(
    headrace: Headrace, controlled: Controlled
) -> None:
    for _ in range(40):
        bury(controlled)
    command = [sys.executable, "-m", "headrace", "dlq", "redrive", str(controlled.file), "--yes", "--rate", "1/s"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as slow:
        controlled.client.first(controlled.pipeline, 1)
        outcome = headrace("dlq", "redrive", controlled.file, "--yes")
        _, said = slow.communicate(timeout=40)
    assert outcome.code == 0
    assert slow.returncode == 1
    assert said.startswith("HR446 another redrive of this pipeline began; ")
    inputs(controlled, 40)
