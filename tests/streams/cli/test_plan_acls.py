"""`headrace plan --acls`: commands that a shell takes as they are, and the same facts for programs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Headrace = Callable[..., Any]


def commands(text: str) -> list[list[str]]:
    """Return the words of each command as a shell would read them."""
    return [shlex.split(line) for line in text.splitlines() if line and not line.startswith("#")]


def test_each_line_is_a_command_or_says_what_the_next_ones_are_for(headrace: Headrace, pipeline_file: Path) -> None:
    outcome = headrace("plan", pipeline_file, "--acls", "--principal", "User:CN=head race,O=x")
    assert (outcome.code, outcome.err) == (0, "")
    assert "\n# workers of group main\n" in outcome.out
    assert "\n# operators: who uses status" in outcome.out
    for words in commands(outcome.out):
        assert words[:4] == ["kafka-acls.sh", "--bootstrap-server", "localhost:9092", "--add"]
        assert words[4:6] == ["--allow-principal", "User:CN=head race,O=x"]
        assert words[-2] in ("--topic", "--group", "--transactional-id")


def test_json_has_the_same_rules(headrace: Headrace, pipeline_file: Path) -> None:
    told = json.loads(headrace("plan", pipeline_file, "--acls", "--json").out)
    rules = [rule for access in told["access"] for rule in access["rules"]]
    shown = commands(headrace("plan", pipeline_file, "--acls").out)
    assert [(words[-2], words[-1]) for words in shown] == [(f"--{rule['resource']}", rule["name"]) for rule in rules]
    assert [("prefixed" in words) for words in shown] == [rule["pattern"] == "prefixed" for rule in rules]
    assert (told["pipeline"], told["principal"]) == ("reviews", "User:PRINCIPAL")


def test_the_broker_and_its_user_are_those_that_the_pipeline_would_use(
    headrace: Headrace, pipeline_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRACE_BROKER", "env:1")
    monkeypatch.setenv("HEADRACE_BROKER_SASL_USERNAME", "bob")
    assert commands(headrace("plan", pipeline_file, "--acls").out)[0][2:6:3] == ["env:1", "User:bob"]
    login = "security_protocol: SASL_SSL, sasl_mechanism: PLAIN, sasl_username: ann, sasl_password_file: absent"
    pipeline_file.write_text(pipeline_file.read_text() + f"broker: {{bootstrap: 'file:1', {login}}}\n")
    assert commands(headrace("plan", pipeline_file, "--acls").out)[0][2:6:3] == ["file:1", "User:ann"]


@pytest.mark.parametrize("words", [("--acls", "--mermaid"), ("--mermaid", "--json"), ("--principal", "User:ann")])
def test_what_does_not_go_together_is_wrong_usage(
    headrace: Headrace, pipeline_file: Path, words: tuple[str, ...]
) -> None:
    assert headrace("plan", pipeline_file, *words).code == 2
