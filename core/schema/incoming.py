"""What publishers may write to a pipeline's input topic, from what its file says of it."""

from __future__ import annotations

from typing import Any

from headrace.core.plan.plan import InputPlan
from headrace.core.schema.document import Schema
from headrace.core.schema.messages import open_schema
from headrace.core.schema.shape import MessageShape
from headrace.core.wire.headers import EventHeaders, MessageHeaders
from headrace.core.wire.incoming import Intake

__all__ = ["KEY", "incoming_shapes", "put"]

_EVENT = "application/cloudevents+json"
KEY = {"type": ["string", "null"], "description": "any bytes, or none; results carry the same"}
"""JSON Schema of the key of a message that comes in."""


def incoming_shapes(source: InputPlan) -> tuple[MessageShape, ...]:
    """Return the kinds of messages that the input's codec reads; of one that does not say, nothing is known."""
    value = _value(source.intake)
    known = {
        "json": (_plain(value), _structured(value)),
        "text": (_text(),),
        "cloudevents": (_binary(value), _structured(value)),
    }
    spec = source.codec.spec
    if spec.distribution == "headrace" and spec.name in known:
        return known[spec.name]
    said = getattr(source.codec.bind(), "shapes", None)
    if said is not None:
        return tuple(said(value))
    summary = f"A message as the codec {spec.name!r} of {spec.distribution} reads it."
    return (MessageShape("message", summary, headers=open_schema(MessageHeaders), key=KEY, content_type=""),)


def _plain(value: Schema) -> MessageShape:
    summary = "One record, as JSON; no header is required."
    return MessageShape("record", summary, body=value, headers=open_schema(MessageHeaders), key=KEY)


def _text() -> MessageShape:
    summary = "One record: the whole message is its text, in UTF-8."
    headers = open_schema(MessageHeaders)
    return MessageShape("text", summary, body={"type": "string"}, headers=headers, key=KEY, content_type="text/plain")


def _binary(value: Schema) -> MessageShape:
    summary = "One record, as a CloudEvent in binary mode."
    return MessageShape("binary-event", summary, body=value, headers=open_schema(EventHeaders), key=KEY)


def _structured(value: Schema) -> MessageShape:
    attribute: Schema = {"type": "string", "minLength": 1}
    body = {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "data"],
        "properties": {
            "specversion": {"type": "string", "pattern": r"^1\."},
            **{name: attribute for name in ("id", "source", "type")},
            "datacontenttype": {"type": "string"},
            "expirytime": {"type": "string", "format": "date-time", "description": "the deadline"},
            "data": value,
        },
    }
    headers = {
        "type": "object",
        "required": ["content-type"],
        "properties": {"content-type": {"type": "string", "pattern": "^application/cloudevents\\+json"}},
    }
    summary = "One record, as a CloudEvent in structured mode."
    return MessageShape("structured-event", summary, body=body, headers=headers, key=KEY, content_type=_EVENT)


def _value(intake: Intake) -> Schema:
    """Return what a value must be: an object with the text at its path, or any JSON, or text."""
    if not intake.text and intake.needs_text:
        return {"type": "string"}
    value: Schema = {}
    if intake.text:
        put(value, intake.text, {"type": "string", "description": "the text that the models read"}, required=True)
    if intake.unit:
        unit = {"description": "the unit of experiments: text, a number, true or false; anything else counts as none"}
        put(value, intake.unit, unit, required=False)
    return value


def put(schema: Schema, path: tuple[str, ...], leaf: Schema, *, required: bool) -> None:
    """Say of a schema what lies at a path below it; nothing of what may be a list, where the key means a place."""
    key, *rest = path
    if key.isdecimal():
        return
    properties: dict[str, Any] = schema.setdefault("properties", {})
    if required:
        schema["type"] = "object"
        schema.setdefault("required", []).append(key)
    inner = properties.setdefault(key, {})
    if rest:
        put(inner, tuple(rest), leaf, required=required)
    else:
        inner.update(leaf)
