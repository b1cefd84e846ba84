"""`headrace doctor`: a line a finding."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from headrace.streams.broker import Running

Headrace = Callable[..., Any]


def findings(out: str) -> dict[str, list[str]]:
    """Return the states of each subject."""
    found: dict[str, list[str]] = {}
    for line in out.splitlines():
        state, subject = line.split()[:2]
        found.setdefault(subject, []).append(state)
    return found


def test_a_machine_is_told_line_by_line_and_nothing_is_made(headrace: Headrace) -> None:
    outcome = headrace("doctor")
    assert (outcome.code, outcome.err) == (0, "")
    found = findings(outcome.out)
    assert list(found) == [
        *("python", "system", "headrace", "libraries", "plugins", "machine", "state", "cache", "onnxruntime", "cuda"),
        *("java", "broker"),
    ]
    assert not Path(os.environ["HEADRACE_HOME"]).exists()


@pytest.mark.broker
def test_a_pipeline_is_told_with_its_models_and_topics(
    headrace: Headrace,
    pipeline_file: Path,
    kafka: Running,
    topic: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEADRACE_BROKER", kafka.bootstrap)
    # Names of its own: the demo's test makes a topic `reviews` on the same Kafka, with other partitions.
    pipeline_file.write_text(pipeline_file.read_text().replace("reviews", topic()))
    outcome = headrace("doctor", pipeline_file)
    found = findings(outcome.out)
    assert (found["kafka"], found["file"], found["model"]) == (["ok"], ["ok"], ["ok", "ok"]), outcome.out
    assert outcome.code == 0, outcome.out
    assert found["topic"] == ["ok"] * 7


def test_what_stops_a_pipeline_is_exit_1_with_a_mend(
    headrace: Headrace, pipeline_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRACE_BROKER", "127.0.0.1:1")
    pipeline_file.write_text(pipeline_file.read_text().replace("lexicon\n", "lexikon\n"))
    outcome = headrace("doctor", pipeline_file, "--json")
    facts = json.loads(outcome.out)
    assert (outcome.code, facts["ok"]) == (1, False)
    failed = [one for one in facts["findings"] if one["state"] == "fail"]
    assert [one["subject"] for one in failed] == ["broker", "file"]
    assert all(one["mend"] for one in failed)
    assert "HR108 no model step named 'lexikon'" in failed[1]["fact"]
