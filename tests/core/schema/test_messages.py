"""The schema of every kind of message, held to what the code writes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from headrace.core.experiments.experiment import Assigned
from headrace.core.schema.messages import SETTING_SHAPES, message_schemas
from headrace.core.wire.audit import AuditEntry, encode_entry
from headrace.core.wire.control import SETTINGS, AliasMove, Skip, encode_setting, setting_key
from headrace.core.wire.exposure import exposure
from headrace.core.wire.result import ResultFacts, Spent, result_body
from tests.support.made import NOON_MS, record

NAMES = list(message_schemas())


def fits(name: str, body: Any) -> bool:
    return Draft202012Validator(message_schemas()[name]).is_valid(json.loads(json.dumps(body)))


@pytest.mark.parametrize("name", NAMES)
def test_each_is_a_whole_json_schema_that_says_what_it_is_of(name: str) -> None:
    schema = message_schemas()[name]
    Draft202012Validator.check_schema(schema)
    assert schema["description"].endswith(".")
    assert schema["properties"]


def test_there_is_one_of_everything() -> None:
    wanted = {"result", "result-headers", "dead-letter-headers", "exposure", "exposure-headers", "audit"}
    assert wanted | {"alias-move", "skip", "message-headers"} <= set(NAMES)
    assert len(SETTING_SHAPES) == len(SETTINGS)


def test_a_result_fits_its_schema_and_a_damaged_one_does_not() -> None:
    spent = Spent(begun_ms=NOON_MS, ended_ms=NOON_MS, preprocess_ms=1.0, postprocess_ms=1.0)
    body = result_body(record("text"), ResultFacts("reviews", "abc"), spent, "2026-11-23T21:44:29.411Z")
    assert fits("result", body)
    assert not fits("result", {**body, "timings": {**body["timings"], "total": "long"}})
    assert not fits("result", {name: value for name, value in body.items() if name != "id"})


def test_a_field_that_a_later_version_adds_does_not_break_a_reader_that_checks() -> None:
    spent = Spent(begun_ms=NOON_MS, ended_ms=NOON_MS, preprocess_ms=1.0, postprocess_ms=1.0)
    body = result_body(record("text"), ResultFacts("reviews", "abc"), spent, "2026-11-23T21:44:29.411Z")
    assert fits("result", {**body, "mood": "new", "source": {**body["source"], "cluster": "eu"}})


def test_an_exposure_fits_its_schema() -> None:
    sent = exposure(record(unit="ann", plan="abc"), Assigned("e", 1, "control"), "reviews", NOON_MS)
    assert fits("exposure", json.loads(sent.value or b""))


def test_settings_and_their_audit_fit_their_schemas_under_keys_of_their_pattern() -> None:
    move = json.loads(encode_setting(AliasMove(version="reviews@2")))
    assert fits("alias-move", move)
    assert fits("skip", json.loads(encode_setting(Skip(first=3, until=5))))
    entry = AuditEntry(who="ann@host", key="alias/reviews@prod", old=None, new=move, time="2026-11-23T21:44:29Z")
    assert fits("audit", json.loads(encode_entry(entry)))
    keys = {shape.name: Draft202012Validator(shape.key) for shape in SETTING_SHAPES}
    key = setting_key(AliasMove, model="reviews", alias="prod")
    assert [name for name, validator in keys.items() if validator.is_valid(key)] == ["alias-move"]
    assert [name for name, one in keys.items() if one.is_valid(setting_key(Skip, stage="expert", partition=3))] == [
        "skip"
    ]
