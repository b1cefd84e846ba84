"""`headrace schema`: schemas on stdout, ready for a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headrace.core.schema.messages import message_schemas

Headrace = Callable[..., Any]


def test_the_schema_of_the_file_is_printed_as_json(headrace: Headrace) -> None:
    outcome = headrace("schema", "file")
    assert (outcome.code, outcome.err) == (0, "")
    schema = json.loads(outcome.out)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "preprocess.normalise" in schema["$defs"]


def test_without_a_name_every_kind_of_message_is_listed(headrace: Headrace) -> None:
    heading, *rows = headrace("schema", "message").out.splitlines()
    assert heading.split()[0] == "NAME"
    assert [row.split()[0] for row in rows] == list(message_schemas())


def test_with_a_name_its_schema_is_printed(headrace: Headrace) -> None:
    assert json.loads(headrace("schema", "message", "result").out) == message_schemas()["result"]


@pytest.mark.provokes("HR607")
def test_a_kind_of_message_that_there_is_not_gets_the_nearest_name(headrace: Headrace) -> None:
    outcome = headrace("schema", "message", "resutl")
    assert (outcome.code, outcome.err) == (1, "HR607 there is no kind of message 'resutl'; did you mean 'result'?\n")


def test_the_topics_of_a_pipeline_are_printed_as_asyncapi(headrace: Headrace, pipeline_file: Path) -> None:
    outcome = headrace("schema", "asyncapi", pipeline_file)
    assert (outcome.code, outcome.err) == (0, "")
    document = json.loads(outcome.out)
    assert document["asyncapi"] == "3.0.0"
    assert {"reviews", "reviews_scored", "reviews_alerts", "reviews_dead"} <= set(document["channels"])


def test_a_file_that_is_wrong_has_no_asyncapi(headrace: Headrace, pipeline_file: Path) -> None:
    pipeline_file.write_text(pipeline_file.read_text().replace("lexicon", "lexikon"))
    outcome = headrace("schema", "asyncapi", pipeline_file)
    assert (outcome.code, outcome.out) == (1, "")
    assert " HR108 no model step named 'lexikon'" in outcome.err
