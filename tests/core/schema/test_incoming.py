"""What a publisher may write, read off the file: what the schema takes, the codec and the intake take."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from headrace import Content, Message
from headrace.core.catalog import Catalog
from headrace.core.errors import RecordError
from headrace.core.plan.compile import compile_file
from headrace.core.plan.plan import InputPlan
from headrace.core.schema.incoming import incoming_shapes
from headrace.core.schema.shape import MessageShape
from headrace.core.wire.incoming import to_record
from tests.support.made import message
from tests.support.planned import installed_and

Source = Callable[..., InputPlan]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """The input of a pipeline whose file says this of it."""

    def make(models: str = "{quick: lexicon}", catalog: Catalog | None = None, **said: Any) -> InputPlan:
        file = tmp_path / "p.yaml"
        given = json.dumps({"topic": "texts", **said})
        head = f"headrace: 1\npipeline: p\ninput: {given}\nmodels: {models}\n"
        file.write_text(head + "output: [{topic: {name: out}}]\n")
        return compile_file(file, registry=str(tmp_path), catalog=catalog).input

    return make


def shape(source: InputPlan, name: str) -> MessageShape:
    (found,) = [one for one in incoming_shapes(source) if one.name == name]
    return found


def is_read(source: InputPlan, value: Any, **fields: Any) -> bool:
    """Whether the codec and the intake make a record of a message with this value."""
    data = value.encode() if isinstance(value, str) and source.codec.name == "text" else json.dumps(value).encode()
    one = message(data, **fields)
    try:
        to_record(one, source.codec.bind().decode(one), source.intake)
    except RecordError:
        return False
    return True


@pytest.mark.parametrize(
    "value",
    [
        {"review": {"body": "good"}},
        {"review": {"body": "good", "stars": 3}, "user": {"id": 7}},
        {"review": {"body": "good"}, "user": "not an object"},
        {"review": {"body": ""}, "user": {"id": None}},
        {"review": {"body": None}},
        {"review": {"body": 7}},
        {"review": {"text": "good"}},
        {"review": "good"},
        {},
        ["review"],
        "good",
        None,
    ],
)
def test_the_schema_of_a_record_takes_exactly_what_is_read(source: Source, value: Any) -> None:
    plan = source(text="review.body", unit="user.id")
    assert Draft202012Validator(shape(plan, "record").body).is_valid(value) == is_read(plan, value)


def test_a_path_into_a_list_is_left_open(source: Source) -> None:
    plan = source(text="items.0.title")
    body = shape(plan, "record").body
    assert body["required"] == ["items"]
    for value in ({"items": [{"title": "a"}]}, {"items": {"0": {"title": "a"}}}):
        assert Draft202012Validator(body).is_valid(value)
        assert is_read(plan, value)


def test_a_structured_event_holds_the_same_value(source: Source) -> None:
    plan = source(text="body")
    event = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "review", "data": {"body": "good"}}
    one = shape(plan, "structured-event")
    headers = (("content-type", one.content_type.encode()),)
    check = Draft202012Validator(one.body).is_valid
    assert check(event)
    assert is_read(plan, event, headers=headers)
    for wrong in ({**event, "id": ""}, {**event, "data": {"text": "good"}}, {**event, "specversion": "0.3"}):
        assert not check(wrong)
        assert not is_read(plan, wrong, headers=headers)


def test_a_text_topic_takes_texts(source: Source) -> None:
    plan = source(format="text")
    (one,) = incoming_shapes(plan)
    assert (one.name, one.content_type, one.body) == ("text", "text/plain", {"type": "string"})


def test_cloudevents_come_in_both_modes(source: Source) -> None:
    plan = source(format="cloudevents", text="body")
    assert [one.name for one in incoming_shapes(plan)] == ["binary-event", "structured-event"]
    assert set(shape(plan, "binary-event").headers["required"]) == {"ce_specversion", "ce_id", "ce_source", "ce_type"}


@pytest.mark.parametrize("pixels", [[[1, 2], [3, 4]], [1, 2, 3, 4], [1, 2, 3], [["1", 2], [3, 4]], "none", None])
def test_tensors_are_lists_beside_what_else_is_read(source: Source, pixels: Any) -> None:
    spec = {"x": {"dtype": "float32", "shape": [2, 2], "path": "image.pixels"}}
    plan = source(codec={"tensor": {"tensors": spec}}, text="body", unit="user")
    value = {"body": "a digit", "image": {"pixels": pixels}, "user": "ann"}
    assert is_read(plan, value) == Draft202012Validator(shape(plan, "tensors").body).is_valid(value)
    assert not is_read(plan, {"image": {"pixels": pixels}})


def test_raw_tensors_have_headers_and_no_schema_of_their_bytes(source: Source) -> None:
    spec = {"x": {"dtype": "float32", "shape": [28, 28]}}
    (one,) = incoming_shapes(source(models="{}", codec={"tensor": {"tensors": spec, "encoding": "raw"}}))
    assert (one.name, one.content_type, one.body) == ("raw-tensors", "application/octet-stream", {})
    assert {"tensor.dtype", "tensor.shape"} <= set(one.headers["properties"])
    assert "x float32[28, 28]" in one.summary


def test_without_models_any_json_goes(source: Source) -> None:
    assert shape(source(models="{}"), "record").body == {}


def test_of_a_stranger_s_codec_nothing_is_claimed(source: Source) -> None:
    def shouted(message: Message) -> Content:
        """Read."""
        return Content(value="A")

    catalog = installed_and(lambda catalog: catalog.codec("shouted", shouted))
    (one,) = incoming_shapes(source(catalog=catalog, format="shouted"))
    assert (one.body, one.content_type) == ({}, "")
    assert "'shouted' of tests" in one.summary
