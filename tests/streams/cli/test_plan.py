"""`headrace plan`: what a file compiles to, made to be read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headrace.streams.cli import table
from headrace.streams.machine import usable_cores

Headrace = Callable[..., Any]


def sections(text: str) -> dict[str, list[str]]:
    """Return the lines below each heading; those above the first under an empty name."""
    found: dict[str, list[str]] = {}
    for part in f"\n{text}".split("\n\n"):
        title, *lines = part.strip("\n").split("\n")
        found[title if found else ""] = lines if found else [title, *lines]
    return found


def test_a_plan_is_shown_in_aligned_columns(headrace: Headrace, pipeline_file: Path) -> None:
    outcome = headrace("plan", pipeline_file)
    assert (outcome.code, outcome.err) == (0, "")
    shown = sections(outcome.out)
    assert shown["Stages"] == [
        "stage    steps                       consumer group",
        "ingress  json > normalise > cascade  reviews.ingress",
        "quick    lexicon                     reviews.quick",
        "slow     lexicon                     reviews.slow",
        "egress   labels > topic > topic      reviews.egress",
    ]
    assert shown["Models"][1].split() == ["quick", "lexicon", "vader-3.3.2", "-", "negative,", "positive"]
    assert shown["Outputs"][2] == "reviews.alerts  topic  output.label == 'negative'"
    assert [re.split("  +", line)[:3] for line in shown["Topics"][1:]] == [
        ["reviews", "input", "as there are, or 8"],
        ["reviews.scored", "output", "as the input"],
        ["reviews.alerts", "output", "2"],
        ["reviews.dead", "dead", "as the input"],
        ["reviews.main.heartbeat", "heartbeat", "1"],
    ]
    assert [line[:2] for line in shown["Promises"]] == ["- "] * 3


def test_the_head_says_input_batch_broker_and_machine(
    headrace: Headrace, pipeline_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = dict(line.split("  ", 1) for line in sections(headrace("plan", pipeline_file).out)[""])
    assert lines["input"].strip() == (
        "reviews as json, text at body, unit at user, starting at earliest, at most 1 MiB a message"
    )
    assert lines["machine"].strip() == f"{usable_cores()} processor threads for the models"
    assert "the embedded one" in lines["broker"]
    monkeypatch.setenv("HEADRACE_BROKER", "kafka:9092")
    assert "kafka:9092 (HEADRACE_BROKER)" in headrace("plan", pipeline_file).out
    pipeline_file.write_text(pipeline_file.read_text() + "broker: {bootstrap: 'other:1'}\n")
    assert "\nbroker    other:1\n" in headrace("plan", pipeline_file).out


def test_a_program_gets_everything_as_json(headrace: Headrace, pipeline_file: Path) -> None:
    facts = json.loads(headrace("plan", pipeline_file, "--json").out)
    assert facts["stages"][0] == {
        "name": "ingress",
        "group": "reviews.ingress",
        "steps": ["json", "normalise", "cascade"],
    }
    assert facts["models"][0]["labels"] == ["negative", "positive"]
    assert facts["models"][1]["step"]["options"]["characters"] == 500
    assert facts["outputs"][1]["when"] == "output.label == 'negative'"
    dead = facts["topics"][3]
    assert (dead["name"], dead["role"], dead["partitions"]) == ("reviews.dead", "dead", None)
    assert dead["config"]["retention.ms"] == "-1"
    assert facts["machine"] == {"threads": usable_cores()}
    assert facts["plan"] in headrace("plan", pipeline_file).out


def test_a_terminal_gets_a_table_with_the_same_cells(
    headrace: Headrace, pipeline_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = headrace("plan", pipeline_file).out.split()
    monkeypatch.setattr(table, "is_terminal", lambda stream: True)
    monkeypatch.setenv("COLUMNS", "300")
    assert headrace("plan", pipeline_file).out.split() == plain


def test_a_wrong_file_is_no_plan(headrace: Headrace, pipeline_file: Path) -> None:
    pipeline_file.write_text("headrace: 1\n")
    outcome = headrace("plan", pipeline_file)
    assert (outcome.code, outcome.out) == (1, "")
    assert [line.split(" ")[1] for line in outcome.err.splitlines()] == ["HR105"] * 3
