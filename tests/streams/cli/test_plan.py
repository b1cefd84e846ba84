"""`headrace plan`: what a file compiles to, made to be read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from headrace.core.catalog import installed_catalog
from headrace.core.record import Batch, Output
from headrace.core.step import ModelFacts, ShardFacts, StepContext
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
    assert shown["Groups"] == [
        "group  workers  stages                        each worker holds",
        "main   1        ingress, quick, slow, egress  no model files",
    ]
    assert shown["Stages"] == [
        "stage    group  steps                       reads  consumer group",
        "ingress  main   json > normalise > cascade  input  reviews.ingress",
        "quick    main   lexicon                     -      -",
        "slow     main   lexicon                     -      -",
        "egress   main   labels > topic > topic      -      -",
    ]
    assert not {"Links", "Experiments"} & set(shown)
    assert shown["Models"][1].split() == ["quick", "lexicon", "vader-3.3.2", "-", "negative,", "positive"]
    assert shown["Outputs"][2] == "reviews.alerts  topic  output.label == 'negative'"
    assert [re.split("  +", line)[:3] for line in shown["Topics"][1:]] == [
        ["reviews", "input", "as there are, or 8"],
        ["reviews.scored", "output", "as the input"],
        ["reviews.alerts", "output", "2"],
        ["reviews.dead", "dead", "as the input"],
        ["reviews.control", "control", "1"],
        ["reviews.audit", "audit", "1"],
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
    cores = usable_cores()
    cored = f"{cores} core{'s' * (cores > 1)} that this process may use"
    assert lines["machine"].strip() == f"{cores} processor thread{'s' * (cores > 1)} a run of a model: {cored}"
    assert "3 processor threads a run of a model: as --threads" in headrace("plan", pipeline_file, "--threads", 3).out
    assert "the embedded one" in lines["broker"]
    monkeypatch.setenv("HEADRACE_BROKER", "kafka:9092")
    assert "kafka:9092 (HEADRACE_BROKER)" in headrace("plan", pipeline_file).out
    pipeline_file.write_text(pipeline_file.read_text() + "broker: {bootstrap: 'other:1'}\n")
    assert "\nbroker    other:1\n" in headrace("plan", pipeline_file).out


def test_a_program_gets_everything_as_json(headrace: Headrace, pipeline_file: Path) -> None:
    facts = json.loads(headrace("plan", pipeline_file, "--json").out)
    assert facts["stages"][0] == {
        "name": "ingress",
        "kind": "ingress",
        "group": "main",
        "consumer_group": "reviews.ingress",
        "reads": "reviews",
        "steps": ["json", "normalise", "cascade"],
        "model": None,
        "part": None,
    }
    assert facts["groups"] == [
        {"name": "main", "stages": ["ingress", "quick", "slow", "egress"], "replicas": 1, "model_bytes": 0}
    ]
    assert ["quick", "slow"] in facts["ways"]
    assert facts["models"][0]["labels"] == ["negative", "positive"]
    assert facts["models"][1]["step"]["options"]["characters"] == 500
    assert facts["outputs"][1]["when"] == "output.label == 'negative'"
    dead = facts["topics"][3]
    assert (dead["name"], dead["role"], dead["partitions"]) == ("reviews.dead", "dead", None)
    assert dead["config"]["retention.ms"] == "-1"
    cores = usable_cores()
    assert facts["machine"].items() >= {"cores": cores, "workers": 1, "threads": cores}.items()
    assert facts["plan"] in headrace("plan", pipeline_file).out


def test_a_terminal_gets_a_table_with_the_same_cells(
    headrace: Headrace, pipeline_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = headrace("plan", pipeline_file).out.split()
    monkeypatch.setattr(table, "is_terminal", lambda stream: True)
    monkeypatch.setenv("COLUMNS", "300")
    assert headrace("plan", pipeline_file).out.split() == plain


def test_a_pipeline_over_processes_shows_its_groups_and_links(headrace: Headrace, pipeline_file: Path) -> None:
    with pipeline_file.open("a") as file:
        file.write("groups: {slow: {models: [slow], replicas: 2}}\nlink: {balance: least_lag}\n")
    shown = sections(headrace("plan", pipeline_file).out)
    assert [line.split()[:2] for line in shown["Groups"][1:]] == [["main", "1"], ["slow", "2"]]
    assert "slow     slow   lexicon                     its link  reviews.slow" in shown["Stages"]
    assert [re.split("  +", line) for line in shown["Links"]] == [
        ["topic", "partitions", "message", "balance", "tensors"],
        ["reviews.link.slow", "as the input", "up to 3.06 MiB", "least_lag", "-"],
        ["reviews.link.egress", "as the input", "up to 3.06 MiB", "least_lag", "-"],
    ]
    assert not [line for line in shown["Topics"] if ".link." in line], "they have a table of their own"
    facts = json.loads(headrace("plan", pipeline_file, "--json").out)
    assert facts["links"][0] == {
        "topic": "reviews.link.slow",
        "to": "slow",
        "partitions": None,
        "max_bytes": 3 * (1 << 20) + (64 << 10),
        "balance": "least_lag",
        "tensors": None,
    }
    assert "reviews.link.slow" in [topic["name"] for topic in facts["topics"]]


def test_experiments_are_shown_a_variant_a_line(headrace: Headrace, pipeline_file: Path) -> None:
    with pipeline_file.open("a") as file:
        file.write("""\
experiments:
  wide:
    layer: routing
    coverage: 0.2
    segment: value.country == 'nl'
    variants: {off: {weight: 3}, on: {set: {route: {single: {model: slow}}}}}
""")
    assert [re.split("  +", line) for line in sections(headrace("plan", pipeline_file).out)["Experiments"]] == [
        ["experiment", "units", "variant", "weight", "sets"],
        ["wide", "20% of layer routing where value.country == 'nl'", "off", "75%", "-"],
        ["", "on", "25%", "route"],
    ]


class Parted:
    """A model in two parts."""

    def infer(self, batch: Batch) -> Sequence[Output]:
        return [{} for _ in batch]

    def facts(self, context: StepContext) -> ModelFacts:
        parts = ShardFacts(23_000_000, "a", bytes_per_record=1 << 20), ShardFacts(21_400_000, "b")
        return ModelFacts("reviews@2", size_bytes=44_400_000, shards=parts)


def test_what_a_process_holds_is_the_files_of_its_own_parts(
    headrace: Headrace, pipeline_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = installed_catalog()
    catalog.model("parted", Parted)
    monkeypatch.setattr("headrace.core.plan.compile.installed_catalog", lambda: catalog)
    pipeline_file.write_text(pipeline_file.read_text().replace("slow: {lexicon: {characters: 500}}", "slow: parted"))
    facts = json.loads(headrace("plan", pipeline_file, "--json").out)
    assert [(group["name"], group["model_bytes"]) for group in facts["groups"]] == [
        ("main", 0),
        ("slow-1", 23_000_000),
        ("slow-2", 21_400_000),
    ]
    assert [part["size_bytes"] for part in facts["models"][1]["parts"]] == [23_000_000, 21_400_000]
    shown = sections(headrace("plan", pipeline_file).out)
    assert [line.split("  ")[-1] for line in shown["Groups"][2:]] == ["about 23 MB of model", "about 21.4 MB of model"]
    assert "44.4 MB: 23 MB + 21.4 MB" in shown["Models"][2]
    assert [line.split()[-1] for line in shown["Links"][1:]] == ["-", "float32", "-"]
    assert "records and float32 tensors" in headrace("plan", pipeline_file, "--mermaid").out


def test_a_narrow_terminal_folds_between_words(
    headrace: Headrace, pipeline_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = headrace("plan", pipeline_file).out
    monkeypatch.setattr(table, "is_terminal", lambda stream: True)
    monkeypatch.setenv("COLUMNS", "80")
    narrow = headrace("plan", pipeline_file).out
    for text, is_narrow in ((plain, False), (narrow, True)):
        lines = [line for line in text.splitlines() if not line.startswith("registry")]  # a path is one long word
        assert (max(map(len, lines)) <= 80) is is_narrow
    promises = sections(narrow)["Promises"]
    assert [line[:2] for line in promises if not line.startswith("  ")] == ["- "] * 3
    assert any(line.startswith("  ") for line in promises)


def test_a_chart_is_mermaid(headrace: Headrace, pipeline_file: Path) -> None:
    outcome = headrace("plan", pipeline_file, "--mermaid")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("flowchart LR\n")
    assert headrace("plan", pipeline_file, "--mermaid", "--json").code == 2


def test_a_wrong_file_is_no_plan(headrace: Headrace, pipeline_file: Path) -> None:
    pipeline_file.write_text("headrace: 1\n")
    outcome = headrace("plan", pipeline_file)
    assert (outcome.code, outcome.out) == (1, "")
    assert [line.split(" ")[1] for line in outcome.err.splitlines()] == ["HR105"] * 3
